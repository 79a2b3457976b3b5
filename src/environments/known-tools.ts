import type {ToolWish} from './fetch-tool.js'
import {QEMU} from './qemu.js'

/** What can be fetched for a user whose host does not have it. */
export const FETCHABLE = {
  bubblewrap: {
    tool: 'bubblewrap',
    packageName: 'bubblewrap',
    programs: ['usr/bin/bwrap'],
    libraryPackages: ['libc6', 'libcap2', 'libselinux1', 'libpcre2-8-0'],
  },
  perl: {
    tool: 'perl',
    packageName: 'perl-base',
    programs: ['usr/bin/perl'],
    libraryPackages: ['libc6', 'libcrypt1'],
    modules: {place: /^usr\/lib\/[^/]+\/perl-base\/(?<name>.+)$/, folder: 'perl-base', option: '-I'},
    trial: ['-e', 'use strict; use warnings; use POSIX (); use Socket (); use Fcntl ()'],
  },
  proot: {
    tool: 'proot',
    packageName: 'proot',
    programs: ['usr/bin/proot'],
    libraryPackages: ['libc6', 'libtalloc2'],
  },
  qemu: QEMU,
} as const satisfies Readonly<Record<string, ToolWish>>

export type FetchableTool = keyof typeof FETCHABLE

export const FETCHABLE_NAMES = [
  'bubblewrap',
  'perl',
  'proot',
  'qemu',
] as const satisfies readonly FetchableTool[]
