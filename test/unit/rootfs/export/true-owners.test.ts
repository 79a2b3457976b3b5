import assert from 'node:assert/strict'
import {test} from 'node:test'
import {openTrueOwners} from '../../../../src/rootfs/export/export.js'
import type {LedgerEntry} from '../../../../src/rootfs/ledger/ledger.js'
import type {Member} from '../../../../src/rootfs/tar/member.js'

const COMMON = {name: './a', mode: 0o644, uid: 0, gid: 0, modified: '0'}
const FILE: Member = {...COMMON, kind: 'file', sizeBytes: 0, storedBytes: 0, capability: undefined}
const FOLDER: Member = {...COMMON, kind: 'folder'}
const LINK: Member = {...COMMON, kind: 'hardlink', target: './b'}
const ENTRY: LedgerEntry = {path: 'a', kind: 'file', uid: 6, gid: 42, mode: 0o644, lost: ['owner']}

/** cap_net_raw=ep, as a file system and as a user namespace's has it. */
const PLAIN = Buffer.from('0100000200200000000000000000000000000000', 'hex')
const NAMESPACED = Buffer.from('0100000300200000000000000000000000000000e8030000', 'hex')

function emulated(
  entry: LedgerEntry,
  overrides: ReadonlyMap<string, {uid: number; gid: number}> = new Map(),
) {
  const owners = {ownerFor: () => undefined}
  return openTrueOwners({entries: new Map([[entry.path, entry]]), overrides, rule: 'caller', owners})
}

/** Root of a namespace without the ids from 1000 on. */
function mapped(entry: LedgerEntry) {
  const id = (wanted: number) => (wanted < 1000 ? wanted : 65534)
  const owners = {ownerFor: ({uid, gid}: {uid: number; gid: number}) => ({uid: id(uid), gid: id(gid)})}
  return openTrueOwners({entries: new Map([[entry.path, entry]]), overrides: new Map(), rule: 'keep', owners})
}

const ownerOf = ({uid, gid}: Member) => `${uid}:${gid}`

for (const [what, member, entry, owner] of [
  ['a file has the owner of its image', FILE, ENTRY, '6:42'],
  ['a hard link has the owner of its file', LINK, ENTRY, '6:42'],
  ["a folder in a file's place is root's", FOLDER, ENTRY, '0:0'],
  ["a hard link where the image had a folder is root's", LINK, {...ENTRY, kind: 'folder'}, '0:0'],
  ["a file that lacked capabilities alone is root's", FILE, {...ENTRY, lost: ['capability']}, '0:0'],
  ["an id that no file can have is root's", FILE, {...ENTRY, uid: 2 ** 32 - 1}, '0:0'],
  [
    "whatever id the tree shows, a file of no entry is root's",
    {...FILE, uid: 1000},
    {...ENTRY, path: 'b'},
    '0:0',
  ],
] as const) {
  test(`with one id, ${what}`, () => {
    assert.equal(ownerOf(emulated(entry).correct(member, 'a')), owner)
  })
}

test("dpkg's override comes before the image's owner, for what it can be of", () => {
  const owners = emulated(ENTRY, new Map([['a', {uid: 7, gid: 8}]]))
  assert.equal(ownerOf(owners.correct(FILE, 'a')), '7:8')
  assert.equal(ownerOf(owners.correct({...COMMON, kind: 'symlink', target: 'b'}, 'a')), '0:0')
})

for (const [what, entry, seen, owner] of [
  [
    'the owner it was given for want of its own gives way',
    {...ENTRY, uid: 5000},
    {uid: 65534, gid: 42},
    '5000:42',
  ],
  ['an owner it got since stays', {...ENTRY, uid: 5000}, {uid: 33, gid: 33}, '33:33'],
  ['nobody stays who was given in the guest', ENTRY, {uid: 65534, gid: 65534}, '65534:65534'],
] as const) {
  test(`with real ids, ${what}`, () => {
    assert.equal(ownerOf(mapped(entry).correct({...FILE, ...seen}, 'a')), owner)
  })
}

for (const [what, capability, entry, expected] of [
  ['of a user namespace become those of any root', NAMESPACED, ENTRY, PLAIN],
  ['of the file system stay', PLAIN, ENTRY, PLAIN],
  [
    'the file could not have are the image’s',
    undefined,
    {...ENTRY, capability: NAMESPACED.toString('base64'), lost: ['capability']},
    PLAIN,
  ],
  ['the guest took away are gone', undefined, {...ENTRY, capability: PLAIN.toString('base64')}, undefined],
  ['that are none are left out', Buffer.from('none'), ENTRY, undefined],
] as const) {
  test(`capabilities ${what}`, () => {
    const member = emulated(entry).correct({...FILE, capability}, 'a')
    assert.deepEqual(member.kind === 'file' && member.capability, expected)
  })
}
