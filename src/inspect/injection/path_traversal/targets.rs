//! Files that are worth an attacker's trouble.

use std::sync::LazyLock;

use crate::inspect::injection::lexis::{WordSets, is_one_of};

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
    let parts = PARTS.sets_in(path);
    if is_one_of(base, TROPHY_NAMES) || parts & TROPHY_PART != 0 {
        return Worth::Trophy;
    }
    let without_drive = match path {
        [_, b':', b'/', rest @ ..] => rest,
        _ => path,
    };
    if parts & SYSTEM_PART != 0
        || begins_in_system(without_drive) && !is_software(without_drive, base)
    {
        Worth::System
    } else {
        Worth::None
    }
}

/// True for where programs are installed, and for programs themselves: there is nothing in them to be read.
fn is_software(path: &[u8], base: &[u8]) -> bool {
    let name = base.iter().rposition(|byte| *byte == b'.');
    let ending = name.and_then(|dot| base.get(dot + 1..));
    path.starts_with(b"program files")
        && ending.is_none_or(|ending| matches!(ending, b"exe" | b"dll" | b"bat" | b"cmd"))
}

/// True when `path` begins with one of [`SYSTEM_PREFIXES`]: none of them begins with another, so that it is the last one
/// that is not behind `path`.
fn begins_in_system(path: &[u8]) -> bool {
    let behind = SYSTEM_PREFIXES.partition_point(|prefix| prefix.as_bytes() <= path);
    let last = behind
        .checked_sub(1)
        .and_then(|last| SYSTEM_PREFIXES.get(last));
    last.is_some_and(|prefix| path.starts_with(prefix.as_bytes()))
}

/// The parts of paths below, in the order of the bits.
static PARTS: LazyLock<WordSets> = LazyLock::new(|| WordSets::new(&[TROPHY_PARTS, SYSTEM_PARTS]));
const TROPHY_PART: u32 = 1;
const SYSTEM_PART: u32 = 1 << 1;

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
    "documents and settings/",
    "etc/",
    "hiberfil.sys",
    "home/apache",
    "inetpub/",
    "jboss/",
    "library/webserver",
    "mysql/",
    "opt/apache",
    "opt/httpd",
    "opt/lampp/",
    "opt/xampp/",
    "pagefile.sys",
    "perl/",
    "php/php",
    "php4/",
    "php5/",
    "private/etc/",
    "private/var/log/",
    "proc/",
    "program files (x86)/",
    "program files/",
    "recycler/",
    "root/",
    "sys/",
    "sysprep",
    "system volume information",
    "system/library/",
    "tomcat",
    "users/administrator/",
    "usr/apache",
    "usr/etc/",
    "usr/home/",
    "usr/internet/",
    "usr/lib/cron/",
    "usr/lib/security/",
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
    "usr/share/adduser/",
    "usr/spool/",
    "var/adm/",
    "var/apache",
    "var/cpanel/",
    "var/lib/mlocate/",
    "var/lib/mysql/",
    "var/lib/php",
    "var/local/",
    "var/log/",
    "var/mail/",
    "var/run/secrets",
    "var/spool/",
    "var/www/html/",
    "var/www/logs",
    "var/www/vhosts/",
    "volumes/",
    "wamp/",
    "web/conf/",
    "windows/config",
    "windows/debug",
    "windows/my",
    "windows/panther",
    "windows/php",
    "windows/repair",
    "windows/system",
    "windows/temp",
    "windows/win",
    "winnt/",
    "xampp/",
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
        assert!(is_sorted(TROPHY_NAMES) && is_sorted(SYSTEM_PREFIXES));
        let mut pairs = SYSTEM_PREFIXES.windows(2);
        assert!(pairs.all(|pair| !pair[1].starts_with(pair[0])));
        assert_eq!(worth(b"etc/passwd"), Worth::Trophy);
        assert_eq!(worth(b"/etc/cron.d/x"), Worth::System);
        assert_eq!(worth(b"c:/winnt/x.log"), Worth::System);
        assert_eq!(worth(b"lib/index.js"), Worth::None);
        assert_eq!(worth(b"c:/program files/tool/bin"), Worth::None);
        assert_eq!(worth(b"c:/program files/tool/tool.exe"), Worth::None);
        assert_eq!(
            worth(b"c:/program files/tool/conf/tool.conf"),
            Worth::System
        );
        assert_eq!(worth(b"src/etc.rs"), Worth::None);
    }
}
