//! Forged evidence packages: some are expensive to read, some contain what another program would unpack. `muster verify`
//! must refuse each of them in little processor time.

use super::{PATIENCE, said};
use crate::command;
use crate::failure::{Context, Failure, Result};
use crate::installation::{Installation, SETTINGS};
use std::process::Command;

/// Processor time that `muster verify` may take, in seconds; the system ends a process that takes more.
const SECONDS: &str = "--cpu=20";

/// Makes the packages from a sound one.
const SCRIPT: &str = r#"
import hashlib, struct, sys, zipfile
source, folder = sys.argv[1:]
whole = open(source, "rb").read()
with zipfile.ZipFile(source) as archive:
    members = [(name, archive.read(name)) for name in archive.namelist()]
top = members[0][0].split("/")[0] + "/"

def keep(name, content):
    with open(folder + "/" + name + ".zip", "wb") as file:
        file.write(content)

def pack(name, members, modes={}):
    with zipfile.ZipFile(folder + "/" + name + ".zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members:
            info = zipfile.ZipInfo(path)
            info.external_attr = modes.get(path, 0o100644) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, content)

def changed(path, content):
    return [(name, content if name == top + path else old) for name, old in members]

pack("repacked", members)
keep("trailing", whole + b"more")
keep("comment", whole[:-2] + struct.pack("<H", 4) + b"more")
pack("folder", members + [(top + "hidden/", b"content")], {top + "hidden/": 0o040755})
pack("link", members, {top + "data/cover.json": 0o120644})

def der(tag, *parts):
    content = b"".join(parts)
    size = bytes([len(content)]) if len(content) < 128 else b"\x82" + struct.pack(">H", len(content))
    return bytes([tag]) + size + content

def named(identifier):
    return der(6, bytes.fromhex(identifier))

# A response as RFC 3161 describes it, for the right digest, that nobody signed.
stamped = hashlib.sha256(dict(members)[top + "tagmanifest-sha256.txt"]).digest()
imprint = der(0x30, der(0x30, named("608648016503040201"), der(5)), der(4, stamped))
info = der(0x30, der(2, b"\1"), named("2a0304"), imprint, der(2, b"\1"), der(0x18, b"20260101000000Z"))
content = der(0x30, named("2a864886f70d0109100104"), der(0xa0, der(4, info)))
signed = der(0x30, der(2, b"\3"), der(0x31), content, der(0x31))
response = der(0x30, der(0x30, der(2, b"\0")), der(0x30, named("2a864886f70d010702"), der(0xa0, signed)))
pack("unsigned", members + [(top + "tagmanifest-sha256.txt.tsr", response)])

# Members that share one header; half a megabyte for 9,999 of them.
def sharing(count):
    name = b"a/"
    local = b"PK\3\4" + struct.pack("<5H3I2H", 20, 0, 0, 0, 33, 0, 0, 0, len(name) + 4, 0) + name + b"0000"
    directory = b"".join(
        b"PK\1\2" + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 33, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0)
        + name + b"%04x" % number for number in range(count))
    return local + directory + b"PK\5\6" + struct.pack("<4H2IH", 0, 0, count, count, len(directory), len(local), 0)

keep("many", sharing(9_999))
keep("more", sharing(40_000))

# Members with headers of their own, which nothing names.
pack("unnamed", members + [(top + "data/%04x" % number, b"") for number in range(5_000)])
lines = "".join("%064x  data/%06d\n" % (0, number) for number in range(100_000))
pack("lines", changed("manifest-sha256.txt", lines.encode()))
file = '{"name":"%06d","format":"CSV","bytes":1,"rows":1,"sha256":"0"}'
files = ",".join(file % number for number in range(100_000))
pack("files", changed("data/cover.json", ('{"files":[%s]}' % files).encode()))
"#;

/// The packages, and what `muster verify` must print about each.
const REFUSED: [(&str, &str); 10] = [
    ("trailing", "it does not end with the archive's directory"),
    ("comment", "it does not end with the archive's directory"),
    ("folder", "it is a folder with content"),
    ("link", "a link or a device"),
    ("unsigned", "the time stamp is not signed"),
    ("many", "shares bytes with another member"),
    ("more", "it has 40000 members: expected at most 10000"),
    ("unnamed", "manifest-sha256.txt does not name it"),
    ("lines", "manifest-sha256.txt names it, but it is not there"),
    ("files", "the cover lists 100000 files: expected at most 10000"),
];

/// Makes each package and has it refused.
pub fn made_up(installation: &Installation) -> Result<()> {
    let server = installation.serve(&SETTINGS)?;
    let api = server.connect(&installation.user)?;
    let id = api.start(&installation.reports()[1])?;
    api.ended(&id, PATIENCE)?;
    let (package, key) = (api.evidence(&id)?, api.evidence_key()?);
    server.stop()?;
    let folder = installation.data.with_file_name("packages");
    let unwritten = || format!("{} cannot be written", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).context(unwritten)?;
    }
    std::fs::create_dir(&folder).context(unwritten)?;
    let (sound, pem) = (folder.join("sound.zip"), folder.join("key.pem"));
    std::fs::write(&sound, package.body).context(unwritten)?;
    std::fs::write(&pem, key.body).context(unwritten)?;
    command::output(Command::new("python3").args(["-c", SCRIPT]).arg(&sound).arg(&folder))?;
    let verify = |name: &str| {
        let file = folder.join(format!("{name}.zip"));
        let arguments = ["verify", &*file.to_string_lossy(), "--key", &*pem.to_string_lossy()];
        said(installation, &["prlimit", SECONDS], &arguments)
    };
    for name in ["sound", "repacked"] {
        let (status, text) = verify(name)?;
        if status != Some(0) {
            return Err(Failure::new(format!("package {name} ended verify with {status:?}: {text}")));
        }
    }
    for (name, what) in REFUSED {
        match verify(name)? {
            (Some(1), text) if text.contains(what) => {}
            (None, _) => return Err(Failure::new(format!("package {name} takes verify too long"))),
            (status, text) => {
                return Err(Failure::new(format!("package {name} ended verify with {status:?}: {text}")));
            }
        }
    }
    Ok(())
}
