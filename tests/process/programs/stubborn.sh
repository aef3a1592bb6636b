#!/bin/sh
# stubborn.sh LEASH: a member that is hard to get rid of. It ignores what it is told, and so do
# its children, some of which leave the session, the parent, the environment, and all three.
exec 9>"$1"
trap '' TERM INT HUP
setsid sh -c 'env -i sleep 1000 & exec sleep 1000' &
(env -i setsid sleep 1000 &)
(env -i setsid sh -c '(setsid sleep 1000 &) ; exec sleep 1000' &)
echo up
exec sleep 1000
