//! Our own binary must not be writable through /proc/self/exe inside a container (CVE-2019-5736).
