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
  proot: {
    tool: 'proot',
    packageName: 'proot',
    programs: ['usr/bin/proot'],
    libraryPackages: ['libc6', 'libtalloc2'],
  },
  qemu: QEMU,
} as const satisfies Readonly<Record<string, ToolWish>>

export type FetchableTool = keyof typeof FETCHABLE

export const FETCHABLE_NAMES = ['bubblewrap', 'proot', 'qemu'] as const satisfies readonly FetchableTool[]
