//! What images of the simulation do.

use model::Digest;

/// What a digest does when it runs: pushes count up, and every third image is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Image {
    Good,
    Exits,
    NeverHealthy,
}

pub(super) fn image(digest: &Digest) -> Image {
    let Digest::Sha256(bytes) = digest else { return Image::Good };
    match bytes[0] % 6 {
        0 => Image::Exits,
        3 => Image::NeverHealthy,
        _ => Image::Good,
    }
}
