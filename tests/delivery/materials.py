# SPDX-License-Identifier: MIT
"""
materials.py FOLDER: each file in the folder that holds programs has a bill of materials, which fits it and
itself, and whose licences are also those of what is linked in. Each image has a file of notices.
"""
import hashlib
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
described = {}
for path in folder.glob("*.spdx.json"):
    packages = {p["SPDXID"]: p for p in json.loads(path.read_text(encoding="utf-8"))["packages"]}
    file = packages["SPDXRef-file"]
    sha256 = hashlib.sha256((folder / file["packageFileName"]).read_bytes()).hexdigest()
    assert file["checksums"][0]["checksumValue"] == sha256, f"{path} is of another file"
    parts = {word for p in packages.values() if p["primaryPackagePurpose"] == "LIBRARY"
             for word in p["licenseConcluded"].split(" AND ")}
    concluded = file["licenseConcluded"].replace("(", "").replace(")", "").split(" AND ")
    assert parts <= set(concluded) and len(parts) > 5, f"{path}: {parts - set(concluded)}"
    assert ("AGPL-3.0-only" in concluded) == any("mlsh-signal" == p["name"] for p in packages.values())
    described[file["packageFileName"]] = len(packages)
holds_programs = [path.name for path in folder.iterdir()
                  if path.suffix in (".deb", ".rpm") or path.name.endswith(".oci.tar") or "-linux-" in path.name
                  and path.name.endswith(".tar.gz")]
assert holds_programs and set(holds_programs) == set(described), set(holds_programs) ^ set(described)
for path in folder.glob("*.oci.tar"):
    notices = path.with_name(path.name.replace(".tar", ".notices.txt")).read_text(encoding="utf-8")
    for words in ("==== openssl", "==== glibc", "==== common-licenses/LGPL-2.1", "Permission is hereby granted"):
        assert words in notices, f"{path}: no {words} in its notices"
print(described)
