#!/bin/bash
# Debian's own kernel and root file systems of busybox with drivers: of optical discs, for kernel_mounts.py
# (kernel_init), and of SCSI targets beside, for juke.py (juke_init).
# Nothing is installed on this system. Run again, it does nothing.
#   needs: apt, dpkg, busybox (static), cpio, gzip, python3
#   out:   the folder named by the first argument: vmlinux, initrd.gz, juke.gz
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
cd "$1"
fresh() { [ -f "$1" ] && [ "$1" -nt "$here/$2" ] && [ "$1" -nt "$here/kernel_build.sh" ]; }
fresh initrd.gz kernel_init && fresh juke.gz juke_init && exit 0
newest() { apt-cache depends linux-image-amd64 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p' | head -1 || true; }
have() { ls "${package}"_*.deb >/dev/null 2>&1; }
bring() { apt-get download -q "$package" 2>&1 | grep -v unsandboxed >&2 || true; }
# Lists of packages may be absent, or name a kernel that the mirror has replaced since: read anew, once.
package=${RIG_KERNEL:-$(newest)}
[ -n "$package" ] && { have || bring; }
if [ -z "$package" ] || ! have; then
	if [ "$(id -u)" = 0 ]; then apt-get update -q=2 >&2 || true; else sudo -n apt-get update -q=2 >&2 || true; fi
	package=${RIG_KERNEL:-$(newest)}
	[ -n "$package" ] || { echo "no package linux-image-amd64 is known to apt, even after apt-get update" >&2; exit 2; }
	have || bring
	have || { echo "$package cannot be downloaded (apt-get download $package)" >&2; exit 2; }
fi
version=${package#linux-image-}
rm -rf unpacked root
dpkg -x "${package}"_*.deb unpacked
# The uncompressed kernel: QEMU starts it through its PVH note without the slow unpacking.
python3 - "unpacked/boot/vmlinuz-$version" vmlinux <<'PYTHON'
import lzma, sys
packed = open(sys.argv[1], "rb").read()
at = packed.find(b"\xfd7zXZ\0")
while at >= 0:
    try:
        kernel = lzma.LZMADecompressor().decompress(packed[at:])
    except lzma.LZMAError:
        kernel = b""
    if kernel[:4] == b"\x7fELF":
        open(sys.argv[2], "wb").write(kernel)
        sys.exit(0)
    at = packed.find(b"\xfd7zXZ\0", at + 1)
sys.exit("there is no xz-packed kernel in the package")
PYTHON
modules=lib/modules/$version
busybox depmod -b "$PWD/unpacked" "$version"
# root_of OUT INIT MODULE...: a root file system with busybox, an init and modules
root_of() {
	local out=$1 init=$2 module file
	shift 2
	rm -rf root
	mkdir -p root/{bin,dev,proc,sys,mnt,run,tmp}
	cp "$(command -v busybox)" root/bin/busybox
	for module; do
		# a module's file, then those it needs
		grep -E "(^|/)${module//[-_]/[-_]}\.ko[^:]*:" "unpacked/$modules/modules.dep" | tr -d : | tr ' ' '\n'
	done | sort -u | while read -r file; do
		install -D "unpacked/$modules/$file" "root/$modules/$file"
	done
	cp "unpacked/$modules"/modules.{order,builtin} "root/$modules/" 2>/dev/null || true
	busybox depmod -b "$PWD/root" "$version"
	install "$here/$init" root/init
	(cd root && find . -print0 | cpio -0 -o -H newc --quiet) | gzip -1 >"$out.new"
	mv "$out.new" "$out"
}
discs="virtio_pci virtio_scsi virtio_console sr_mod sd_mod isofs udf nls_utf8 crc32c_generic"
root_of initrd.gz kernel_init $discs
root_of juke.gz juke_init $discs 9p 9pnet_virtio overlay configfs uio target_core_mod target_core_user tcm_loop sg ch fuse
rm -rf unpacked root
