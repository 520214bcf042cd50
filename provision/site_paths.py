"""Paths on the machines that more than one role must agree on."""

NGINX_SITE = "/etc/nginx/conf.d/quartet.conf"
MYSQL_CONFIG = "/etc/mysql/mysql.conf.d/quartet.cnf"
APP_ROOT = "/srv/app"
APP_CURRENT = f"{APP_ROOT}/current"
APP_RELEASES = f"{APP_ROOT}/releases"
APP_SOCKET = "/run/app/app.sock"
