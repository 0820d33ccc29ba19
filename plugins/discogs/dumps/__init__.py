"""What a dump is: names, listing, CHECKSUM, download, verification, storage, retention."""
