//! Files that are worth an attacker's trouble.

use crate::inspect::injection::lexis::{has, is_one_of};

/// How telling it is that a value names such a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// Nothing special.
    None,
    /// A directory of the system: configuration, logs, process files.
    System,
    /// A file that is asked for only by attackers, in requests.
    Trophy,
}

/// What `path` is worth: lower case, slashes forward, climbs removed (`etc/passwd`, `c:/windows/win.ini`).
pub fn worth(path: &[u8]) -> Worth {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    let base = path
        .iter()
        .rposition(|byte| *byte == b'/')
        .map_or(path, |at| path.get(at + 1..).unwrap_or_default());
    if is_one_of(base, TROPHY_NAMES) || TROPHY_PARTS.iter().any(|part| has(path, part.as_bytes())) {
        return Worth::Trophy;
    }
    let without_drive = match path {
        [_, b':', b'/', rest @ ..] => rest,
        _ => path,
    };
    let system = SYSTEM_PREFIXES
        .iter()
        .any(|prefix| without_drive.starts_with(prefix.as_bytes()))
        || SYSTEM_PARTS.iter().any(|part| has(path, part.as_bytes()));
    if system { Worth::System } else { Worth::None }
}

/// File names that say enough by themselves.
const TROPHY_NAMES: &[&str] = &[
    ".aws",
    ".bash_history",
    ".bashrc",
    ".env",
    ".git",
    ".htaccess",
    ".htpasswd",
    ".mysql_history",
    ".netrc",
    ".npmrc",
    ".passwd",
    ".pgpass",
    ".profile",
    ".psql_history",
    ".ssh",
    ".viminfo",
    ".zsh_history",
    "access.log",
    "access_log",
    "accesskeys.csv",
    "apache2.conf",
    "appsettings.json",
    "authorized_keys",
    "autoexec.bat",
    "boot.ini",
    "catalina.out",
    "cmd.exe",
    "cmdline",
    "config.inc.php",
    "config.php",
    "config.sys",
    "configuration.php",
    "crontab",
    "desktop.ini",
    "environ",
    "error.log",
    "error_log",
    "fstab",
    "global.asa",
    "global.asax",
    "group",
    "grub.conf",
    "gshadow",
    "hosts",
    "httpd.conf",
    "id_dsa",
    "id_rsa",
    "iis.log",
    "inetd.conf",
    "known_hosts",
    "localstart.asp",
    "machine.config",
    "master.mdf",
    "master.passwd",
    "meminfo",
    "my.cnf",
    "my.ini",
    "nginx.conf",
    "ntds.dit",
    "ntuser.dat",
    "passwd",
    "php.ini",
    "proftpd.conf",
    "resolv.conf",
    "sam",
    "security",
    "server.xml",
    "settings.py",
    "shadow",
    "shadow-",
    "sshd_config",
    "sudoers",
    "syslog",
    "system.ini",
    "tomcat-users.xml",
    "unattend.xml",
    "vsftpd.conf",
    "web.config",
    "web.xml",
    "win.ini",
    "wp-config",
    "wp-config.php",
    "wtmp",
];

/// Parts of paths that say enough by themselves.
const TROPHY_PARTS: &[&str] = &[
    "/.ssh/",
    "web-inf/",
    "meta-inf/",
    "etc/passwd",
    "etc/shadow",
    "etc/hosts",
    "proc/self",
    "proc/1/",
    "win.ini",
    "boot.ini",
    "system32/config",
    "system32/drivers/etc",
    "repair/sam",
    ".git/config",
    ".git/head",
    ".aws/credentials",
    ".kube/config",
    "serviceaccount/token",
    "secrets/kubernetes.io",
];

/// Directories that no request names by an absolute path.
const SYSTEM_PREFIXES: &[&str] = &[
    "apache/",
    "apache2/",
    "appserv/",
    "boot/",
    "etc/",
    "inetpub/",
    "proc/",
    "program files (x86)/",
    "program files/",
    "root/",
    "sys/",
    "usr/local/apache",
    "usr/local/cpanel",
    "usr/local/etc/",
    "usr/local/mysql",
    "usr/local/nginx",
    "usr/local/pgsql",
    "usr/local/php",
    "usr/local/tomcat",
    "usr/local/zeus",
    "usr/pkg/etc/",
    "var/adm/",
    "var/cpanel/",
    "var/lib/mlocate/",
    "var/lib/mysql/",
    "var/lib/php",
    "var/log/",
    "var/mail/",
    "var/run/secrets",
    "var/spool/",
    "var/www/html/",
    "var/www/logs",
    "var/www/vhosts/",
    "winnt/",
    "wamp/",
    "xampp/",
    "opt/lampp/",
    "opt/xampp/",
    "opt/apache",
    "opt/httpd",
    "home/apache",
    "private/etc/",
    "private/var/log/",
    "system/library/",
    "web/conf/",
    "php/php",
    "php4/",
    "php5/",
    "mysql/",
    "usr/apache",
    "usr/lib/security/",
    "usr/lib/cron/",
    "usr/share/adduser/",
    "users/administrator/",
    "documents and settings/",
    "system volume information",
    "recycler/",
    "pagefile.sys",
    "hiberfil.sys",
    "var/apache",
    "var/local/",
    "volumes/",
    "library/webserver",
    "usr/home/",
    "usr/spool/",
    "usr/internet/",
    "usr/etc/",
    "sysprep",
    "perl/",
    "jboss/",
    "tomcat",
    "windows/system",
    "windows/repair",
    "windows/debug",
    "windows/panther",
    "windows/temp",
    "windows/win",
    "windows/php",
    "windows/my",
    "windows/config",
];

/// The same anywhere in a path that climbs.
const SYSTEM_PARTS: &[&str] = &[
    "/etc/",
    "/proc/",
    "/var/log/",
    "/apache/logs/",
    "/logs/access",
    "/logs/error",
    "/httpd/logs",
    "/system32/",
    "/winnt/",
    "/windows/system",
    "/inetpub/",
    "/wwwroot/",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::injection::lexis::is_sorted;

    #[test]
    fn system_files_are_told_from_a_projects_own() {
        assert!(is_sorted(TROPHY_NAMES));
        assert_eq!(worth(b"etc/passwd"), Worth::Trophy);
        assert_eq!(worth(b"/etc/cron.d/x"), Worth::System);
        assert_eq!(worth(b"c:/winnt/x.log"), Worth::System);
        assert_eq!(worth(b"lib/index.js"), Worth::None);
        assert_eq!(worth(b"src/etc.rs"), Worth::None);
    }
}
