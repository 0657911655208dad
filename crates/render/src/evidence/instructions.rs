//! `VERIFY.md`: how to check a package with programs that everybody has.

const TEXT: &str = r#"# How to check this package

This folder is a BagIt bag (RFC 8493). `data/` has a report's files, its cover (`cover.json`: who asked, what was read,
how the rows were counted) and what the cover rests on. Unpack it whole, open a terminal in the folder that has
`bagit.txt`, and run the commands below. The program that made the package does it all at once, without a network:

    muster verify PACKAGE.zip --key PUBLIC-KEY.pem

## 1. The files are those that were packed

```sh
sha256sum --check --strict --quiet manifest-sha256.txt
sha256sum --check --strict --quiet tagmanifest-sha256.txt
```

Neither prints anything when every file is as it was. The first covers `data/`, the second the rest and the first's list.
A file in `data/` that the first list does not name does not belong to the package.

## 2. The package is signed

```sh
openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in tagmanifest-sha256.txt -sigfile signature.ed25519
```

It prints `Signature Verified Successfully`. This needs OpenSSL 3.0 or later.

`public-key.pem` came with the package, so a forger would have brought one too. Compare its fingerprint with the one
that the operator of the service gives you by another way:

```sh
openssl pkey -pubin -in public-key.pem -outform DER | sha256sum
```

## 3. The package existed at a time

Only where there is a file `tagmanifest-sha256.txt.tsr`. It is the answer of a time-stamping authority (RFC 3161); you
need the certificate of the authority's root, here `tsa-root.pem`.

```sh
openssl ts -verify -in tagmanifest-sha256.txt.tsr -data tagmanifest-sha256.txt -CAfile tsa-root.pem
```

It prints `Verification: OK`. The time is in what this prints:

```sh
openssl ts -reply -in tagmanifest-sha256.txt.tsr -text
```

## 4. The files are those of the cover, and complete

`cover.json` gives the bytes, the rows and the SHA-256 of each file (`files`). The records of a CSV file, its header not
counted, are `reconciliation.reported`. That equals `reconciliation.expected`, which is `reconciliation.population` less
everything in `reconciliation.excluded`, with everything in `reconciliation.added`; each of `reconciliation.subtotals`
adds up to `reconciliation.reported`.

## 5. The audit events are those that the service recorded

Each line of `data/audit-events.ndjson` is an event about this report. Its `hash` covers it and the hash of the event
before it in the whole trail, `previousHash`: SHA-256 over the values below, each behind its length in bytes, as eight
bytes, the highest first. Where `sequence` follows that of the line before, `previousHash` is that line's `hash`. This
prints nothing when every hash is right:

```python
import hashlib, json
names = "sequence previousHash id atMicros operation tenant caller task report details".split()
for line in open("data/audit-events.ndjson", encoding="utf-8"):
    event, digest = json.loads(line), hashlib.sha256()
    for part in ["muster audit event 1"] + [str(event[name]) for name in names]:
        part = part.encode()
        digest.update(len(part).to_bytes(8, "big") + part)
    if digest.hexdigest() != event["hash"]:
        print("event", event["sequence"], "was changed")
```

An operator who keeps the trail's newest hash elsewhere can show that the trail itself was not rewritten.
"#;

/// The text of `VERIFY.md`.
#[must_use]
pub fn instructions() -> &'static str {
    TEXT
}
