//! What is measured at size finds the database in the system's memory, as far as it fits: the file
//! is read through before. After a load or a start of the machine, both sides would only wait for
//! the disk.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use crate::failure::Result;
use crate::progress::Reading;

const CHUNK: usize = 1 << 20;

/// Reads a file from its beginning to its end.
pub(crate) fn read_through(path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    let reading = Reading::new(path, file.metadata()?.len() >> 20);
    let mut chunk = vec![0; CHUNK];
    let mut read = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                read += count as u64;
                reading.at(read >> 20);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    reading.finish();
    Ok(())
}
