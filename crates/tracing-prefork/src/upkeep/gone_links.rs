//! The links of tags whose latest file is gone. Each process renews the links of its own tag only, so nobody else would
//! clear away those of a process that has ended.

use crate::names::pattern::Pattern;
use crate::names::site::Site;
use crate::names::tag::Tag;
use crate::sys;
use crate::upkeep::link::{Kind, Link};
use crate::upkeep::link_note;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Removes the links of other tags that lead to no file any more. A process of such a tag that still runs finds its
/// link gone within a second of its next event, and makes it anew.
pub(crate) fn clear(site: &Site, links: &[Link]) {
    let Site { pattern, .. } = site;
    let own = pattern.own_tag();
    for entry in sys::entries(pattern.directory()).into_iter().flatten().filter(|entry| !entry.is_directory) {
        let Some(name) = entry.name.to_str().filter(|name| !pattern.is_hidden(name)) else { continue };
        let of_tag = links.iter().find_map(|link| Some((link, link.tag_of(name)?)));
        let Some((link, tag)) = of_tag.filter(|(_, tag)| Some(*tag) != own) else { continue };
        let path = pattern.directory().join(name);
        match link.kind() {
            Kind::Symbolic if leads_nowhere(pattern, &path, tag) => drop(sys::unlink(&path)),
            Kind::Hard if is_last_name(site, &path, tag) => {
                let _ = sys::unlink(&path).and_then(|()| sys::unlink(&pattern.link_note(Some(tag))));
            }
            Kind::Symbolic | Kind::Hard => {}
        }
    }
}

/// Whether a symbolic link led to a file of that tag, which is gone.
fn leads_nowhere(pattern: &Pattern, path: &Path, tag: Tag) -> bool {
    let Ok(target) = fs::read_link(path) else { return false };
    let place = target.to_str().and_then(|name| pattern.place_of_name(name, i64::MAX));
    place.is_some_and(|place| place.tag == Some(tag.id()))
        && sys::identity_of(&pattern.directory().join(target)).is_none()
}

/// Whether a file that a hard link of that tag was led to has no other name, and nobody has it open to write to.
fn is_last_name(site: &Site, path: &Path, tag: Tag) -> bool {
    let Ok(found) = path.symlink_metadata() else { return false };
    let is_noted = |id| link_note::tells_of(&site.pattern.link_note(Some(tag)), site.creation(), id);
    found.is_file() && found.nlink() == 1 && !sys::is_held(path) && sys::identity_of(path).is_some_and(is_noted)
}
