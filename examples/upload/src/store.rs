//! An object store, and how a finished file gets there: once, whole, and in place of nothing that it does not contain.
//!
//! The store is opened anew for each file, and the runtime with it. So a forked process inherits neither a connection
//! nor a thread, and nothing has to be done after a fork.

use crate::file::{Finished, hexadecimal};
use crate::name::further;
use object_store::aws::{AmazonS3Builder, Checksum};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMultipartOptions,
    PutOptions, RetryConfig,
};
use ring::digest::{Context, SHA256};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{error, path};
use url::Url;

type Result<T, E = Box<dyn error::Error + Send + Sync>> = std::result::Result<T, E>;

/// The metadata of an object that has the checksum of its bytes.
const SHA256_KEY: Attribute = Attribute::Metadata(Cow::Borrowed("sha256"));
/// S3 takes 10 000 parts at most.
const MOST_PARTS: u64 = 10_000;
/// How many names are tried for a file: more than a program is started anew in one period.
const MOST_NAMES: usize = 1000;
/// The time ends the retries, and not their number.
const MOST_RETRIES: usize = 1000;
/// When the store did not answer, further files wait for the next round, which comes later than this.
const ROUND: Duration = Duration::from_secs(3);

/// Where finished files go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    url: Url,
    scheme: ObjectStoreScheme,
    /// What stands behind the bucket in the address.
    pub(crate) above: Path,
    /// How long one request is tried again.
    retry_for: Duration,
    /// Larger files are sent in parts of so many bytes.
    part_bytes: u64,
    /// When the store last did not answer, in milliseconds since `begin`. Without a lock, because a process can be
    /// forked at any moment.
    no_answer: Arc<AtomicU64>,
    begin: Instant,
}

/// What was done with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was sent, under this name.
    Sent(Path),
    /// An object with the same bytes was there already.
    WasThere(Path),
}

impl Target {
    /// Reads an address such as `s3://bucket/folder`. Sends nothing.
    pub(crate) fn parse(text: &str, retry_for: Duration, part_bytes: u64) -> Result<Self, String> {
        let examples = "write s3://BUCKET/FOLDER, gs://BUCKET/FOLDER or az://CONTAINER/FOLDER";
        let url: Url = text.parse().map_err(|error| format!("`{text}` is no address: {error}; {examples}"))?;
        let (scheme, above) = ObjectStoreScheme::parse(&url)
            .map_err(|error| format!("`{text}` is no address of a store: {error}; {examples}"))?;
        let (no_answer, begin) = (Arc::default(), Instant::now());
        let target = Self { url, scheme, above, retry_for, part_bytes, no_answer, begin };
        target.open().map_err(|error| format!("`{text}` cannot be used: {error}; {examples}"))?;
        Ok(target)
    }

    /// A client of the store, with the options of the environment (`AWS_...`, `GOOGLE_...`, `AZURE_...`).
    fn open(&self) -> Result<Box<dyn ObjectStore>> {
        let url = self.url.as_str();
        let retry = RetryConfig { retry_timeout: self.retry_for, max_retries: MOST_RETRIES, ..RetryConfig::default() };
        Ok(match self.scheme {
            // The store compares the bytes that it has received with the checksum, and refuses others.
            ObjectStoreScheme::AmazonS3 => {
                let builder = AmazonS3Builder::from_env().with_checksum_algorithm(Checksum::SHA256);
                Box::new(builder.with_url(url).with_retry(retry).build()?)
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                Box::new(GoogleCloudStorageBuilder::from_env().with_url(url).with_retry(retry).build()?)
            }
            ObjectStoreScheme::MicrosoftAzure => {
                Box::new(MicrosoftAzureBuilder::from_env().with_url(url).with_retry(retry).build()?)
            }
            _ => return Err("only S3, Google Cloud Storage and Azure are compiled in".into()),
        })
    }

    /// Whether the bucket can be reached and listed with these credentials.
    pub(crate) fn check(&self) -> Result<()> {
        let listed = wait_for(async { self.open()?.list_with_delimiter(Some(&self.above)).await.map_err(Into::into) });
        listed.map(drop).map_err(|error| self.explain("cannot list", &*error).into())
    }

    /// Sends a file. May be called again for the same file, after a failure or a kill: what is there is not sent again.
    pub(crate) fn send(&self, path: &path::Path, name: &Path) -> Result<Outcome> {
        let file = Finished::open(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        // A store that is away keeps each file waiting for `retry_for`. A round may have hundreds of files.
        let since = self.milliseconds().saturating_sub(self.no_answer.load(Relaxed));
        if self.no_answer.load(Relaxed) > 0 && u128::from(since) < ROUND.as_millis() {
            return Err(format!("not tried, because {} has just not answered", self.url).into());
        }
        let sent = wait_for(self.put_or_find(&file, name));
        sent.map_err(|error| self.explain("cannot send it to", &*error).into())
    }

    /// Puts the file under its name. If other bytes have that name already, the file gets a further name: a program
    /// whose disk is new, such as a container's, gives the file of the same hour the same name once more.
    async fn put_or_find(&self, file: &Finished, name: &Path) -> Result<Outcome> {
        let store = self.open()?;
        let names = (2..=MOST_NAMES).map(|number| further(name, number));
        for name in [name.clone()].into_iter().chain(names) {
            let there = self.found(&*store, &name, file).await;
            if there.is_err() {
                self.no_answer.store(self.milliseconds().max(1), Relaxed);
            }
            if let Some((bytes, sha256)) = there? {
                if (bytes, &sha256) == (file.bytes, &file.sha256) {
                    return Ok(Outcome::WasThere(name));
                }
                if !file.continues(bytes, &sha256)? {
                    continue;
                }
            }
            if file.bytes <= self.part_bytes {
                let whole = file.part(0, file.bytes)?;
                let options = PutOptions { attributes: attributes(file, &name), ..PutOptions::default() };
                store.put_opts(&name, whole.into(), options).await?;
            } else {
                self.put_parts(&*store, file, &name).await?;
            }
            return match self.found(&*store, &name, file).await? {
                Some(there) if there == (file.bytes, file.sha256.clone()) => Ok(Outcome::Sent(name)),
                there => Err(format!("{name} has other bytes than were sent: {there:?}").into()),
            };
        }
        Err(format!("{name} and {MOST_NAMES} names like it have other bytes").into())
    }

    /// Sends a large file part by part, each one with its own retries. The object is there when the last part is, and
    /// not before.
    async fn put_parts(&self, store: &dyn ObjectStore, file: &Finished, name: &Path) -> Result<()> {
        let options = PutMultipartOptions { attributes: attributes(file, name), ..PutMultipartOptions::default() };
        let mut upload = store.put_multipart_opts(name, options).await?;
        let part_bytes = self.part_bytes.max(file.bytes.div_ceil(MOST_PARTS));
        let sent = async {
            let mut context = Context::new(&SHA256);
            for number in 0..file.bytes.div_ceil(part_bytes) {
                let part = file.part(number * part_bytes, part_bytes)?;
                context.update(&part);
                upload.put_part(part.into()).await?;
            }
            if hexadecimal(context) != file.sha256 {
                return Err("somebody has changed the file while it was sent".into());
            }
            Ok(())
        };
        match sent.await {
            Ok(()) => upload.complete().await.map(drop).map_err(Into::into),
            Err(error) => {
                // Parts cost money until somebody removes them. The error is the one that counts.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    /// The size and the checksum of an object, if it is there. The checksum of an object that somebody else has put
    /// there is that of its bytes.
    async fn found(&self, store: &dyn ObjectStore, name: &Path, file: &Finished) -> Result<Option<(u64, String)>> {
        let found = match store.get_opts(name, GetOptions { head: true, ..GetOptions::default() }).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let bytes = found.meta.size;
        if let Some(sha256) = found.attributes.get(&SHA256_KEY) {
            return Ok(Some((bytes, sha256.to_string())));
        }
        if bytes > file.bytes {
            return Ok(Some((bytes, "not asked for".to_owned())));
        }
        let mut context = Context::new(&SHA256);
        let mut begin = 0;
        while begin < bytes {
            let end = bytes.min(begin + self.part_bytes);
            context.update(&store.get_range(name, begin..end).await?);
            begin = end;
        }
        Ok(Some((bytes, hexadecimal(context))))
    }

    fn milliseconds(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Says what failed, at which address, why, and what to do.
    fn explain(&self, what: &str, error: &(dyn error::Error + Send + Sync)) -> String {
        let (url, bucket) = (&self.url, self.url.host_str().unwrap_or_default());
        let why = error.to_string();
        // The kind of an error of `list` says nothing: look at the answer that it quotes.
        let has = |texts: &[&str]| texts.iter().any(|text| why.contains(text));
        let remedy = if has(&["NoSuchBucket", "404 Not Found"]) {
            format!("create the bucket `{bucket}`, or name another one in --to (UPLOAD_TO)")
        } else if has(&["403 Forbidden", "401 Unauthorized"]) {
            "check the credentials in the environment, and that they may list the bucket, and put and get objects"
                .into()
        } else if has(&["HTTP error: builder error"]) {
            "for a store without HTTPS, set AWS_ALLOW_HTTP=true".to_owned()
        } else {
            "check the address, the region, the network and the store".to_owned()
        };
        format!("{what} {url}: {why}; {remedy}")
    }
}

/// Runs a future to its end, in a runtime of its own.
fn wait_for<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future)
}

fn attributes(file: &Finished, name: &Path) -> Attributes {
    // No `Content-Encoding`: some clients would unpack the object, and give it a name that says that it is packed.
    let content = match name.extension() {
        Some("gz") => "application/gzip",
        Some("zst") => "application/zstd",
        _ => "application/x-ndjson",
    };
    let mut attributes = Attributes::new();
    attributes.insert(SHA256_KEY, file.sha256.clone().into());
    attributes.insert(Attribute::ContentType, content.into());
    attributes
}
