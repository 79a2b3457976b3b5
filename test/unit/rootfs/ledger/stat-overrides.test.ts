import assert from 'node:assert/strict'
import {mkdirSync, writeFileSync} from 'node:fs'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {openTreeView} from '../../../../src/rootfs/fixes/tree-view.js'
import {readStatOverrides} from '../../../../src/rootfs/ledger/owners.js'
import {treeFolder} from '../../../support/extraction.js'

async function overridesOf(t: TestContext, lines: string) {
  const root = await treeFolder(t)
  for (const folder of ['etc', 'var/lib/dpkg']) mkdirSync(join(root, folder), {recursive: true})
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0::/root:/bin/sh\nman:x:6:12::/:/bin/sh\nhuge:x:4294967295:0::/:\n',
  )
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nssh:x:101:\n')
  writeFileSync(join(root, 'var/lib/dpkg/statoverride'), lines)
  return readStatOverrides(openTreeView(root))
}

test('users and groups are those of the tree', async (t) => {
  assert.deepEqual(await overridesOf(t, 'man ssh 2755 /usr/bin/ssh-agent\n'), [
    {path: 'usr/bin/ssh-agent', uid: 6, gid: 101, mode: 0o2755},
  ])
})

test('numbers are taken as they are', async (t) => {
  assert.deepEqual(await overridesOf(t, '#1000 #4294967294 600 /a b\n'), [
    {path: 'a b', uid: 1000, gid: 4294967294, mode: 0o600},
  ])
})

for (const [what, line] of [
  ['an unknown user', 'nobody ssh 2755 /a'],
  ['an unknown group', 'man nobody 2755 /a'],
  ['a number that is no id', '#4294967295 root 755 /a'],
  ['a user with such a number', 'huge root 755 /a'],
  ['a mode that is none', 'man ssh 9999 /a'],
  ['a relative path', 'man ssh 755 a'],
  ['the root', 'man ssh 755 //'],
  ['a step up', 'man ssh 755 /..'],
  ['a step up on the way', 'man ssh 755 /etc/../a'],
  ['a zero byte', 'man ssh 755 /a\0b'],
  ['a name too long', `man ssh 755 /${'n'.repeat(256)}`],
  ['too few words', 'man ssh /a'],
]) {
  test(`a line with ${what} is read over`, async (t) => {
    assert.deepEqual(await overridesOf(t, `${line}\n`), [])
  })
}

test('a tree without dpkg has none', async (t) => {
  assert.deepEqual(readStatOverrides(openTreeView(await treeFolder(t))), [])
})
