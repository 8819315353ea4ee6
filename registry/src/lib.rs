//! The OCI distribution protocol over HTTP, with blobs as files.
