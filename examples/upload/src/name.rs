//! What an object is called: by program, day, host and file.

use object_store::path::{Path, PathPart};
use std::path;
use std::time::SystemTime;
use time::OffsetDateTime;

/// What a template may have between braces.
const KNOWN: [&str; 6] = ["app", "date", "day", "file", "host", "hour"];

/// A template such as `{app}/date={date}/host={host}/{file}`.
#[derive(Clone, Debug)]
pub(crate) struct Template(String);

impl Template {
    /// Reads a template. It must name the host and the file: else two hosts, or two files, would have one name.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        for piece in text.split('{').skip(1) {
            let word = piece.split_once('}').map(|(word, _)| word);
            if !word.is_some_and(|word| KNOWN.contains(&word)) {
                return Err(format!("`{{{piece}` is unknown; there are {{{}}}", KNOWN.join("}, {")));
            }
        }
        match ["{host}", "{file}"].iter().find(|word| !text.contains(**word)) {
            Some(word) => Err(format!("{word} is missing: objects of different hosts or files would have one name")),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name of a file's object, below `above`. The date is the one at which the file's period begins, in UTC.
    pub(crate) fn name(&self, above: &Path, app: &str, host: &str, file: &str, begin: SystemTime) -> Path {
        let begin = OffsetDateTime::from(begin);
        let date = begin.date().to_string();
        let folders = self.0.split('/').map(|folder| {
            let folder = folder.replace("{app}", app).replace("{host}", host).replace("{file}", file);
            let folder = folder.replace("{date}", &date).replace("{day}", &date.replace('-', "/"));
            folder.replace("{hour}", &format!("{:02}", begin.hour()))
        });
        // `{day}` is the one word that has slashes of its own.
        let folders: Vec<_> =
            folders.flat_map(|folder| folder.split('/').map(str::to_owned).collect::<Vec<_>>()).collect();
        above.parts().chain(folders.iter().map(|folder| PathPart::from(folder.as_str()))).collect()
    }
}

/// A further name for a file whose name is taken: `app.2026-11-21_2.log.gz`.
pub(crate) fn further(name: &Path, number: usize) -> Path {
    let file = name.filename().unwrap_or_default();
    let (plain, archive) = match path::Path::new(file).extension().and_then(|end| end.to_str()) {
        Some(end @ ("gz" | "zst")) => file.split_at(file.len() - end.len() - 1),
        _ => (file, ""),
    };
    let (stem, suffix) = plain.rfind('.').map_or((plain, ""), |dot| plain.split_at(dot));
    let file = format!("{stem}_{number}{suffix}{archive}");
    let above = name.parts().count() - 1;
    name.parts().take(above).chain([PathPart::from(file)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_object_is_named_by_program_day_host_and_file() {
        let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_249_981); // 2026-11-21 08:33:01 UTC
        let name = |template: &str| {
            let template = Template::parse(template).expect("a template");
            template.name(&Path::from("a/b"), "app", "web-1", "app.2026-11-21.log.gz", begin).to_string()
        };
        let expected = "a/b/app/date=2026-11-21/host=web-1/app.2026-11-21.log.gz";
        assert_eq!(name("{app}/date={date}/host={host}/{file}"), expected);
        assert_eq!(name("{host}/{app}/{day}/{hour}/{file}"), "a/b/web-1/app/2026/11/21/08/app.2026-11-21.log.gz");
    }

    #[test]
    fn a_template_that_gives_two_files_one_name_is_refused() {
        for (text, word) in [("{app}/{file}", "{host}"), ("{host}/log", "{file}"), ("{host}/{fil}", "{fil}")] {
            let error = Template::parse(text).expect_err("no template");
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_taken_name_is_followed_by_a_numbered_one() {
        let second = |name: &str| further(&Path::from(name), 2).to_string();
        assert_eq!(second("a/app.2026-11-21.log.gz"), "a/app.2026-11-21_2.log.gz");
        assert_eq!(second("app.2026-11-21"), "app_2.2026-11-21");
        assert_eq!(second("a/app.zst"), "a/app_2.zst");
    }
}
