// Checks an evidence package in the browser: its signature, and the digest of each of its files. Nothing leaves the browser.
// `muster verify` checks more: the chain of the audit events, the cover and its counts, the time stamp.
(() => {
  "use strict";

  const [endOfList, entryOfList, localEntry] = [0x06054b50, 0x02014b50, 0x04034b50];
  // A larger member is not unpacked: its digest needs all of it in memory.
  const memberBytesMost = 1024 * 1024 * 1024;
  const large = 0xffffffff;
  const text = new TextDecoder("utf-8", { fatal: true });

  async function view(file, from, to) {
    return new DataView(await file.slice(from, to).arrayBuffer());
  }

  // The sizes and the place of a member, in that order, where 32 bits do not hold them.
  function wide(list, at, end, fields) {
    for (let part = at; part + 4 <= end; part += 4 + list.getUint16(part + 2, true)) {
      if (list.getUint16(part, true) === 1) {
        let next = part + 4;
        return fields.map((field) => {
          if (field !== large) {
            return field;
          }
          next += 8;
          return Number(list.getBigUint64(next - 8, true));
        });
      }
    }
    return fields;
  }

  // The members of a zip archive by name.
  async function members(file) {
    const begin = Math.max(0, file.size - 65_557);
    const tail = await view(file, begin, file.size);
    let end = tail.byteLength - 22;
    while (end >= 0 && !(tail.getUint32(end, true) === endOfList && end + 22 + tail.getUint16(end + 20, true) === tail.byteLength)) {
      end -= 1;
    }
    if (end < 0) {
      throw new Error("it is not a whole zip archive");
    }
    const [count, size, start] = [tail.getUint16(end + 10, true), tail.getUint32(end + 12, true), tail.getUint32(end + 16, true)];
    if (count === 0xffff || start === large) {
      throw new Error("it is too large for a browser");
    }
    const list = await view(file, start, start + size);
    const found = new Map();
    for (let at = 0; at + 46 <= list.byteLength && list.getUint32(at, true) === entryOfList; ) {
      const [nameLength, extra, comment] = [28, 30, 32].map((field) => list.getUint16(at + field, true));
      const name = text.decode(new Uint8Array(list.buffer, at + 46, nameLength));
      const fields = [24, 20, 42].map((field) => list.getUint32(at + field, true));
      const [plain, packed, place] = wide(list, at + 46 + nameLength, at + 46 + nameLength + extra, fields);
      if (found.has(name)) {
        throw new Error(`it has ${name} twice`);
      }
      found.set(name, { method: list.getUint16(at + 10, true), plain, packed, place });
      at += 46 + nameLength + extra + comment;
    }
    if (found.size !== count) {
      throw new Error("its list of files is damaged");
    }
    return found;
  }

  async function content(file, member) {
    if (member.plain > memberBytesMost) {
      return null;
    }
    const head = await view(file, member.place, member.place + 30);
    if (head.byteLength < 30 || head.getUint32(0, true) !== localEntry) {
      throw new Error("a file of it has no beginning");
    }
    const start = member.place + 30 + head.getUint16(26, true) + head.getUint16(28, true);
    const packed = file.slice(start, start + member.packed);
    if (member.method === 0) {
      return new Uint8Array(await packed.arrayBuffer());
    }
    if (member.method !== 8) {
      throw new Error(`it is packed by method ${member.method}: expected 0 or 8`);
    }
    const bytes = new Uint8Array(member.plain);
    let filled = 0;
    const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      if (filled + part.value.length > bytes.length) {
        await reader.cancel();
        throw new Error("a file of it is larger than the archive says");
      }
      bytes.set(part.value, filled);
      filled += part.value.length;
    }
    return bytes.subarray(0, filled);
  }

  async function digest(bytes) {
    const sum = await crypto.subtle.digest("SHA-256", bytes);
    return Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  async function signatureHolds(pem, signature, signed) {
    const der = Uint8Array.from(atob(pem.replace(/-----[^-]+-----|\s/g, "")), (letter) => letter.charCodeAt(0));
    const key = await crypto.subtle.importKey("spki", der, { name: "Ed25519" }, false, ["verify"]);
    return crypto.subtle.verify("Ed25519", key, signature, signed);
  }

  // What holds (true), fails (false) or cannot be told here (null), each in words; nothing if the file is no package.
  async function check(file, pem) {
    const all = await members(file);
    const bagit = [...all.keys()].find((name) => /^[^/]+\/bagit\.txt$/.test(name));
    if (!bagit) {
      return null;
    }
    const folder = bagit.slice(0, -"bagit.txt".length);
    const read = async (name) => {
      const member = all.get(folder + name);
      return member ? content(file, member) : undefined;
    };
    const findings = [];
    const tell = (holds, words) => findings.push({ holds, words });
    const [signature, signed, manifest] = [
      await read("signature.ed25519"), await read("tagmanifest-sha256.txt"), await read("manifest-sha256.txt"),
    ];
    if (!signature || !signed || !manifest) {
      tell(false, "The signature or a manifest is missing.");
      return findings;
    }
    try {
      const holds = await signatureHolds(pem, signature, signed);
      tell(holds, holds ? "The signature is made with this service's key." : "The signature is not made with this service's key.");
    } catch {
      tell(null, "This browser cannot check the signature (Ed25519).");
    }
    const listed = new Set(["signature.ed25519", "tagmanifest-sha256.txt", "tagmanifest-sha256.txt.tsr"]);
    for (const [name, bytes] of [["tagmanifest-sha256.txt", signed], ["manifest-sha256.txt", manifest]]) {
      let same = 0;
      for (const line of text.decode(bytes).split("\n").filter((one) => one !== "")) {
        const [, sum, path] = /^([0-9a-f]{64}) [ *](.+)$/.exec(line) ?? [];
        if (!path) {
          tell(false, `${name} has a line that is not a digest and a path.`);
          continue;
        }
        listed.add(path);
        const found = await read(path);
        if (found === undefined) {
          tell(false, `${path} is missing.`);
        } else if (found === null) {
          tell(null, `${path} is larger than 1 GiB: it is not checked here.`);
        } else if ((await digest(found)) === sum) {
          same += 1;
        } else {
          tell(false, `${path} was changed.`);
        }
      }
      tell(same > 0 ? true : null, `${same} files are as ${name} says.`);
    }
    for (const name of all.keys()) {
      if (!name.endsWith("/") && !(name.startsWith(folder) && listed.has(name.slice(folder.length)))) {
        tell(false, `${name} was added.`);
      }
    }
    return findings;
  }

  globalThis.musterPackage = { check };
})();
