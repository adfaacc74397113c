#!/bin/bash
# LIO shows 15 letters of a name as INQUIRY product, where the same 16 letters fit as product_id.
#
# Expected: PRODUCT IDENTIFICATION has 16 bytes (SPC-4, 6.4.2), and wwn/product_id takes all of them.
# Seen: with the attribute emulate_model_alias 1, which targetcli sets by itself
#   (export_backstore_name_as_model), the product is the object's name cut to 15
#   (dev_set_t10_wwn_model_alias in drivers/target/target_core_configfs.c). "customer-db-0001" and
#   "customer-db-0002" have one product, and a program that predicts the product from the name by the 16 of
#   the standard predicts another one.
# Versions: Linux 6.1.176 (Debian 12) and 6.12.113 (Debian 13), sg3-utils 1.46 and 1.48.
# To do: set wwn/product_id, or read it after emulate_model_alias was set.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
mkdir -p lists/partial out

apt() { apt-get -qq -o APT::Sandbox::User=root -o Dir::State::lists="$dir/lists" "$@"; }
unpack() { apt update && apt download "$@" && for deb in *.deb; do dpkg -x "$deb" .; done; }
# shellcheck source=/dev/null
case $(. /etc/os-release && echo "$ID $VERSION_ID") in
    "debian 12")
        unpack user-mode-linux=6.1um4+b13 busybox-static=1:1.35.0-4+deb12u1+b1 \
            sg3-utils=1.46-3 libsgutils2-1.46-2=1.46-3 ;;
    "debian 13")
        unpack user-mode-linux=6.12um1+b22 busybox-static=1:1.37.0-6+b9 \
            sg3-utils=1.48-3~deb13u1 libsgutils2-1.48=1.48-3~deb13u1 ;;
    *) false ;;
esac || { echo "cannot run: this host's Debian does not offer these versions"; exit 2; }

cat >guest <<'END'
#!/bin/bash
# First program of the guest, on the host's file system (read-only). It writes what it sees to out/seen.
export PATH=$D/bin:$D/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin LD_LIBRARY_PATH=$D/usr/lib/x86_64-linux-gnu
mount -t proc proc /proc && mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /mnt
busybox mount -t hostfs -o "$D/out" none /srv && uname -r >/srv/kernel && exec >/srv/seen 2>&1
modules=$D/usr/lib/uml/modules/$(uname -r)
for name in configfs target_core_mod tcm_loop sd_mod sg; do
    for file in $(awk -F'[: ]+' -v last="/$name.ko" 'index($1, last) {for (i = NF; i; i--) print $i}' \
        "$modules/modules.dep"); do
        busybox insmod "$modules/$file" 2>/dev/null
    done
done
mount -t configfs configfs /sys/kernel/config
cd /sys/kernel/config/target || busybox poweroff -f
number=0
for name in customer-db-0001 customer-db-0002 named; do
    disk=core/rd_mcp_$number/$name
    mkdir -p $disk && echo rd_pages=256 >$disk/control && echo 1 >$disk/enable
    case $name in
        named) echo customer-db-0003 >$disk/wwn/product_id ;;
        *) echo 1 >$disk/attrib/emulate_model_alias ;;
    esac
    port=loopback/naa.600140500000000$number/tpgt_1
    mkdir -p $port/lun && echo naa.600140500000001$number >$port/nexus
    mkdir $port/lun/lun_0 && ln -s "$PWD/$disk" $port/lun/lun_0/disk
    echo "$name: $(sg_inq /dev/sg$number | grep Product.id)"
    number=$((number + 1))
done
busybox poweroff -f
END
chmod +x guest
timeout 100 usr/bin/linux.uml root=/dev/root rootfstype=hostfs rootflags=/ ro mem=256M quiet loglevel=0 \
    con=null con0=null,fd:1 uml_dir="$dir/" init="$dir/guest" D="$dir" </dev/null >console 2>&1 || true
[ -s out/kernel ] || { tail console; echo "cannot run: this kernel does not start here (no AMX?)"; exit 2; }

cat >expected <<'END'
customer-db-0001:  Product identification: customer-db-000 
customer-db-0002:  Product identification: customer-db-000 
named:  Product identification: customer-db-0003
END
cat out/seen
diff -u expected out/seen || { echo "changed in Linux $(cat out/kernel)"; exit 1; }
echo "as described, in Linux $(cat out/kernel)"
