# Rendered by labctl: show /etc/motd in every interactive login shell.
case $- in
*i*) cat /etc/motd ;;
esac
