if [ -r @DEFAULT@ ]; then
    # shellcheck source=/dev/null
    . @DEFAULT@
fi
if [ "${REEXEC_ON_UPGRADE:-yes}" = yes ]; then
    systemctl list-units --plain --no-legend --state=active \
        'pairvisor@*.service' 'pairvisor-root@*.service' |
        while read -r unit _; do
            systemctl kill --kill-whom=main --signal=USR2 "$unit" || true
        done
fi
