# What users do with a package, in a Debian that has just booted. Each command must succeed. /trial/kind says which package.
set -eux
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export DEBIAN_FRONTEND=noninteractive
as_muster() { setpriv --reuid muster --regid muster --init-groups "$@"; }
data="--data /var/lib/muster"
# Until a condition holds; the limit is that of a machine that is busy.
until_holds() { timeout 300 sh -c "until $1; do sleep 0.2; done"; }
is_ready() { curl --silent --fail --max-time 5 "$@" | grep '"ready"'; }
main_pid() { systemctl show --property MainPID --value muster; }

# Installing, upgrading and removing, by the program of each kind.
settings=/etc/muster/muster.toml
case $(cat /trial/kind) in
deb)
    put() { apt-get install --yes --quiet "$1.deb"; }
    take_away() { apt-get remove --yes --quiet muster; }
    settings_left=$settings
    ;;
rpm)
    # What it needs is there, under Debian's names. Debian's rpm keeps its database in the caller's home folder.
    of_fedora() { rpm --force-debian --dbpath /var/lib/rpm "$@"; }
    put() { of_fedora --nodeps --upgrade "$1.rpm"; }
    take_away() { of_fedora --erase muster; }
    settings_left=$settings.rpmsave
    ;;
esac

# --- installed, and not started -----------------------------------------------------------------
put /trial/muster
muster --version
id muster
test "$(stat --format '%U:%G %a' /var/lib/muster)" = 'muster:muster 700'
test "$(stat --format '%U:%G %a' /etc/muster/muster.toml)" = 'root:muster 640'
ls /usr/share/man/man1/muster.1*
ls /usr/share/zsh/*/_muster /usr/share/fish/vendor_completions.d/muster.fish
bash -c '. /usr/share/bash-completion/completions/muster && complete -p muster'
muster config show --config /etc/muster/muster.toml $data
test "$(systemctl is-active muster)" = inactive
test "$(systemctl is-enabled muster)" = disabled
systemd-analyze --man=no verify muster.service
# 20 stands for an exposure of 2.0.
systemd-analyze security --offline=true --threshold=20 --no-pager muster.service

# --- sources, and the service -------------------------------------------------------------------
cat > /srv/people.csv <<END
empnum,firstname,surname,mail
1001,Grace,Okafor,grace.okafor@example.com
1002,Tomas,Novak,tomas.novak@example.com
1003,Mei,Tanaka,mei.tanaka@example.com
END
cat > /srv/hr.toml <<END
name = "HR"
kind = "delimited"
[delimited]
path = "/srv/people.csv"
native_identity = "empnum"
[profile]
name = "Employees"
priority = 10
[[profile.attributes]]
name = "uid"
from = "empnum"
[[profile.attributes]]
name = "email"
from = "mail"
END
as_muster muster source add /srv/hr.toml $data
as_muster muster refresh $data
as_muster muster client create --kind user --name ada --level ORG_ADMIN --scope sp:scopes:all $data > /srv/client
# It returns when the service has said that it is ready.
systemctl enable --now muster
is_ready http://127.0.0.1:8080/readyz
MUSTER_CLIENT_ID=$(jq --raw-output .id /srv/client)
MUSTER_CLIENT_SECRET=$(jq --raw-output .secret /srv/client)
export MUSTER_CLIENT_ID MUSTER_CLIENT_SECRET HOME=/srv
mkdir /srv/reports
muster report run IDENTITIES --wait -o /srv/reports
test "$(wc --lines < '/srv/reports/Identities Report.csv')" = 4
head -c 5 '/srv/reports/Identities Report.pdf' | grep %PDF-

# --- its restrictions, as the kernel has them ---------------------------------------------------
status=/proc/$(main_pid)/status
grep -E '^Uid:\s+'"$(id -u muster)"'\s' "$status"
grep -E '^CapBnd:\s+0+$' "$status"
grep -E '^NoNewPrivs:\s+1$' "$status"
grep -E '^Seccomp:\s+2$' "$status"
# The options of the last mount at a place.
mounted() { awk -v place="$1" '$5 == place { options = $6 } END { print options }' "/proc/$(main_pid)/mountinfo"; }
mounted / | grep -E '^ro,'
mounted /var/lib/muster | grep -E '^rw,'

# --- a secret that only systemd reads -----------------------------------------------------------
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout /etc/muster/tls.key -out /etc/muster/certificate.pem
chmod 0600 /etc/muster/tls.key
mkdir -p /etc/systemd/system/muster.service.d
cat > /etc/systemd/system/muster.service.d/tls.conf <<END
[Service]
LoadCredential=tls.key:/etc/muster/tls.key
Environment=MUSTER__SERVER__TLS_KEY=%d/tls.key
Environment=MUSTER__SERVER__TLS_CERTIFICATE=/etc/muster/certificate.pem
END
systemctl daemon-reload
systemctl restart muster
is_ready --cacert /etc/muster/certificate.pem https://localhost:8080/readyz
rm /etc/systemd/system/muster.service.d/tls.conf

# --- a service that hangs is started again ------------------------------------------------------
cat > /etc/systemd/system/muster.service.d/watchdog.conf <<END
[Service]
WatchdogSec=5
TimeoutAbortSec=5
END
systemctl daemon-reload
systemctl restart muster
hanging=$(main_pid)
kill -STOP "$hanging"
until_holds "[ \"\$(systemctl show --property NRestarts --value muster)\" = 1 ] && systemctl is-active muster"
test "$(main_pid)" != "$hanging"
is_ready http://127.0.0.1:8080/readyz
rm /etc/systemd/system/muster.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart muster

# --- an upgrade ---------------------------------------------------------------------------------
echo '# changed by an administrator' >> /etc/muster/muster.toml
before=$(as_muster muster audit list --output json $data)
old=$(main_pid)
put /trial/next
test "$(main_pid)" != "$old"
is_ready http://127.0.0.1:8080/readyz
grep 'changed by an administrator' /etc/muster/muster.toml
test "$(stat --format '%U:%G %a' /etc/muster/muster.toml)" = 'root:muster 640'
test "$before" = "$(as_muster muster audit list --output json $data)"
muster report run IDENTITIES --wait
as_muster muster doctor $data

# --- a removal ----------------------------------------------------------------------------------
take_away
test ! -e /usr/bin/muster
test ! -e /usr/lib/systemd/system/muster.service
test "$(systemctl is-active muster)" = inactive
test -s /var/lib/muster/muster.db
grep 'changed by an administrator' "$settings_left"
