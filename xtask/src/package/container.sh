# Builds the container of the service, and runs it as a cluster does: not as root, with a root that is read-only, and without
# capabilities. Arguments: the folder of this run, the folder of the container file, the package.
set -eux
folder=$1
file=$2
package=$3
podman() { command podman --root "$folder/images" --runroot "$folder/run" --storage-driver vfs --cgroup-manager cgroupfs --runtime runc "$@"; }
# The base that the container file names is on a registry; this one has the same packages, from Debian's own archive.
mmdebstrap --variant=apt --quiet bookworm "$folder/base.tar" < /dev/null
podman import --quiet "$folder/base.tar" localhost/muster-base
mkdir "$folder/context"
cp "$package" "$folder/context/muster.deb"
podman build --quiet --isolation chroot --build-arg BASE=localhost/muster-base --tag localhost/muster \
    --file "$file/Containerfile" "$folder/context"
test "$(podman image inspect --format '{{.Config.User}}' localhost/muster)" = 10001:10001

run() {
    podman run --pull=never --read-only --tmpfs /tmp --network none --cap-drop all --log-driver k8s-file \
        --security-opt no-new-privileges --ulimit nofile=10000:10000 --ulimit nproc=4096:4096 "$@"
}
trap 'podman logs muster || true; podman rm --force --volumes muster' EXIT
run --detach --name muster --volume muster-data:/var/lib/muster localhost/muster
asks='exec 3<>/dev/tcp/127.0.0.1/8080 && printf "GET /readyz HTTP/1.0\r\nHost: x\r\n\r\n" >&3 && grep "{\"status\":\"ready\"}" <&3'
for _ in $(seq 300); do
    if podman exec muster bash -c "$asks"; then break; fi
    sleep 1
done
podman exec muster bash -c "$asks"
podman exec muster sh -c 'test "$(id -u)" = 10001 && grep -E "^CapEff:.0+$" /proc/self/status && ! touch /etc/x'
# One that must be killed has another status.
podman stop --time 60 muster
test "$(podman inspect --format '{{.State.ExitCode}}' muster)" = 0
podman logs muster 2>&1 | grep stopped
