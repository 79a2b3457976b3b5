import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openExportBounds} from '../../../../src/rootfs/export/bounds.js'
import {DEFAULT_LIMITS, type Limits} from '../../../../src/rootfs/limits.js'
import type {Member} from '../../../../src/rootfs/tar/member.js'

const COMMON = {mode: 0o644, uid: 0, gid: 0, modified: '0'}
const folder = (name: string): Member => ({...COMMON, kind: 'folder', name})
const file = (name: string, sizeBytes = 0): Member => ({
  ...COMMON,
  ...{kind: 'file', name, sizeBytes, storedBytes: 0, capability: undefined},
})
const hardlink = (name: string, target: string): Member => ({...COMMON, kind: 'hardlink', name, target})
const symlink = (name: string, target: string): Member => ({...COMMON, kind: 'symlink', name, target})

/** What is said against the last of some members; undefined where all are written. */
function reasonAgainst(members: readonly Member[], limits: Partial<Limits> = {}): string | undefined {
  const {check} = openExportBounds({...DEFAULT_LIMITS, ...limits})
  try {
    members.forEach((member, index) => void check(member, index))
  } catch (error) {
    assert.ok(error instanceof Error)
    return error.message
  }
  return undefined
}

for (const [title, members, limits, reason] of [
  ['a path of the longest length', [file(`./${'d/'.repeat(1918)}x`)], {}, undefined],
  ['a longer path', [file(`./${'d/'.repeat(1919)}x`)], {}, 'its name is too long'],
  ['the longest link target', [symlink('./a', 't'.repeat(4095))], {}, undefined],
  ['a longer link target', [symlink('./a', 't'.repeat(4096))], {}, 'its link target is too long'],
  ['a file of the largest size', [file('./a', 10)], {fileBytes: 10}, undefined],
  ['a larger file', [file('./a', 11)], {fileBytes: 10}, 'it has 11 bytes'],
  ['as many headers as there may be', [folder('./'), file('./a')], {members: 3}, undefined],
  [
    'one more header',
    [folder('./'), file('./a')],
    {members: 2},
    'it is one file more than the 2 headers that a tarball may have',
  ],
  [
    'folders below folders',
    [file('./a/b'), hardlink('./a/c', 'a/b')],
    {pathSteps: 5, memberSteps: 0},
    'the folders on the way to the files are too many',
  ],
] as const) {
  test(`export and import agree on ${title}`, () => {
    const message = reasonAgainst(members, limits)
    if (reason === undefined) assert.equal(message, undefined)
    else assert.match(message ?? '', new RegExp(`^Could not export "/.*": ${reason}\\.$`))
  })
}
