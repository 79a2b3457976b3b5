/** Numbers for Perl's syscall(), by asm/unistd_64.h and asm-generic/unistd.h. */
export const NR: Readonly<Record<'mount' | 'umount2' | 'unshare' | 'setsid' | 'memfd_create', number>> =
  process.arch === 'x64'
    ? {mount: 165, umount2: 166, unshare: 272, setsid: 112, memfd_create: 319}
    : {mount: 40, umount2: 39, unshare: 97, setsid: 157, memfd_create: 279}
