#!/bin/sh
# Fetch Debian's source package of libssh2 VERSION into DIR, by apt, from the
# mirrors that apt is already configured for, as any user.
#
# The package is in trixie: every entry of apt's sources for a Debian release
# is copied to a private list with that name in its place. apt accepts the
# lists of sources only if they are signed with a key that those entries
# trust, and the archives only if they match the checksums in these lists;
# on that we rely, and note the checksum beside the patches.
set -eu
version=$1
dir=$2
suite=trixie
names="bullseye bookworm trixie forky sid oldstable stable testing unstable"
if [ -r /etc/os-release ]; then
    names="$names $(. /etc/os-release && echo "${VERSION_CODENAME-}")"
fi

mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
work=$dir/apt
rm -rf "$work"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/parts" "$work/lists/partial" "$work/cache/archives/partial" \
    "$work/files"

eval "$(apt-config shell list Dir::Etc::sourcelist/f \
    parts Dir::Etc::sourceparts/d)"

# One-line entries: deb [options] URI suite component...
for file in "$list" "$parts"/*.list; do
    [ -r "$file" ] && cat "$file"
done | awk -v names="$names" -v suite="$suite" '
    BEGIN { n = split(names, a, " "); for (i = 1; i <= n; i++) known[a[i]] }
    $1 != "deb" && $1 != "deb-src" { next }
    {
        sub(/#.*/, ""); options = ""
        if (match($0, /\[[^]]*\]/)) {
            options = substr($0, RSTART, RLENGTH) " "
            $0 = substr($0, 1, RSTART - 1) substr($0, RSTART + RLENGTH)
        }
        if ($2 ~ /^cdrom:/ || ($0 " ") !~ /[ \t]main[ \t]/) next
        base = $3; sub(/(-updates|-security)$/, "", base)
        if (!(base in known)) next
        head = "deb-src " options $2 " " suite
        if ($3 ~ /-security$/) print head "-security main"
        else print head " main\n" head "-updates main"
    }' | sort -u > "$work/parts/a.list"

# Stanzas: Types, URIs, Suites and Components are written anew, what else
# there is (Signed-By, be it a whole key) is kept.
for file in "$parts"/*.sources; do
    [ -r "$file" ] && grep -v '^#' "$file" && echo
done | awk -v names="$names" -v suite="$suite" '
    BEGIN {
        RS = ""; FS = "\n"
        n = split(names, a, " "); for (i = 1; i <= n; i++) known[a[i]]
    }
    {
        rest = ""; suites = ""; split("", value)
        for (i = 1; i <= NF; i++) {
            if ($i !~ /^[ \t]/) {
                key = tolower($i); sub(/:.*/, "", key)
            }
            text = $i; sub(/^[^ \t][^:]*:/, "", text)
            value[key] = value[key] " " text
            if (key !~ /^(types|uris|suites|components)$/)
                rest = rest $i "\n"
        }
        if (tolower(value["enabled"]) ~ /no|false|0/) next
        if ((value["components"] " ") !~ /[ \t]main[ \t]/) next
        n = split(value["suites"], a, /[ \t]+/)
        for (i = 1; i <= n; i++) {
            base = a[i]; sub(/(-updates|-security)$/, "", base)
            if (!(base in known)) continue
            if (a[i] ~ /-security$/) suites = suites " " suite "-security"
            else if (suites !~ /-updates/)
                suites = suites " " suite " " suite "-updates"
        }
        if (suites)
            print "Types: deb-src\nURIs:" value["uris"] "\nSuites:" suites \
                "\nComponents: main\n" rest
    }' > "$work/parts/b.sources"

# A system that lists no security updates gets them from beside its mirror.
if ! grep -q -e "$suite-security" "$work"/parts/*; then
    for file in a.list b.sources; do
        sed -e "/ $suite-updates main/d" \
            -e "s/ $suite\( $suite-updates\)*/ $suite-security/" \
            -e 's,/debian/*\( \|$\),/debian-security\1,g' \
            "$work/parts/$file" > "$work/parts/security-$file"
    done
fi

cat > "$work/apt.conf" <<END
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/parts";
Dir::State::lists "$work/lists";
Dir::Cache "$work/cache";
APT::Sandbox::User "root";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
END

# One of several mirrors may fail: what counts is that the package comes.
apt-get -c "$work/apt.conf" update || :
(cd "$work/files" && apt-get -c "$work/apt.conf" \
    source --download-only libssh2)

cd "$work/files"
set -- "libssh2_$version"-*.debian.tar.xz
[ -f "$1" ] && [ -f "libssh2_$version.orig.tar.gz" ]
sha256sum "$1" > "$1.sha256"
mv -f "$1.sha256" "$1" "libssh2_$version.orig.tar.gz" "$dir"
