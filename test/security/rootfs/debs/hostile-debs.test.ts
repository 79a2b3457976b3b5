import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {gzipSync} from 'node:zlib'
import {unpackDebs} from '../../../../src/rootfs/debs/unpack.js'
import {folder, symlink, tarArchive, tarMember} from '../../../support/tar-archive.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const CONTROL = 'Package: evil\nVersion: 1\nArchitecture: all\nDescription: test\n'

type Parts = {readonly control?: readonly Buffer[]; readonly data?: readonly Buffer[]}

/** A package by the raw members of its two archives. */
function rawDeb({
  control = [tarMember({name: './control', data: CONTROL})],
  data = [folder('./')],
}: Parts): Buffer {
  const members = [
    ['debian-binary', Buffer.from('2.0\n')],
    ['control.tar.gz', gzipSync(tarArchive(...control))],
    ['data.tar.gz', gzipSync(tarArchive(...data))],
  ] as const
  const parts = members.flatMap(([name, bytes]) => {
    const size = String(bytes.length).padEnd(10)
    const head = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${size}\`\n`
    return [Buffer.from(head), bytes, Buffer.alloc(bytes.length % 2, '\n')]
  })
  return Buffer.concat([Buffer.from('!<arch>\n'), ...parts])
}

type Outcome = {readonly root: string; readonly outside: string; readonly error: unknown}

/** Unpacks it into a root beside a folder that has to stay as it is. */
async function unpack(t: TestContext, deb: Buffer): Promise<Outcome> {
  const home = await temporaryFolder(t)
  const [root, outside] = [join(home, 'root'), join(home, 'outside')]
  for (const path of [root, outside]) await mkdir(path)
  await writeFile(join(outside, 'sentinel'), 'untouched')
  await writeFile(join(home, 'evil.deb'), deb)
  const error = await unpackDebs(one(join(home, 'evil.deb')), root, {
    ...{owners: 'caller', which: () => undefined, links: [], files: []},
    modified: '1700000000',
    ledger: join(home, 'ledger.jsonl'),
  }).then(
    () => undefined,
    (failure: unknown) => failure,
  )
  assert.deepEqual(await readdir(outside), ['sentinel'])
  assert.equal(await readFile(join(outside, 'sentinel'), 'utf8'), 'untouched')
  return {root, outside, error}
}

async function* one(path: string) {
  yield {name: 'evil', path}
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENVS_PACKAGE_REFUSED'
}

for (const [what, parts] of [
  ['a file above the root', {data: [tarMember({name: '../outside/sentinel', data: 'gone'})]}],
  [
    'a file of dpkg that would lie elsewhere',
    {control: [tarMember({name: './control', data: CONTROL}), tarMember({name: './../../x', data: 'x'})]},
  ],
  [
    'a link in the place of a script',
    {control: [tarMember({name: './control', data: CONTROL}), symlink('./postinst', '/bin/sh')]},
  ],
  [
    'the name of another package',
    {control: [tarMember({name: './control', data: CONTROL.replace('evil', 'dpkg')})]},
  ],
  [
    'an architecture that is a path',
    {control: [tarMember({name: './control', data: CONTROL.replace('all', '../../x')})]},
  ],
  ['no control file', {control: [tarMember({name: './postinst', data: 'x'})]}],
] as const) {
  test(`a package with ${what} is refused`, async (t) => {
    const {error} = await unpack(t, rawDeb(parts))
    assert.ok(isRefused(error), String(error))
  })
}

test('a link out of the root leads nowhere but into it, for files and for dpkg’s own', async (t) => {
  const data = [
    symlink('./var', '../../outside'),
    symlink('./etc', '/outside'),
    tarMember({name: './etc/file', data: 'inside'}),
  ]
  const {root, error} = await unpack(t, rawDeb({data}))
  assert.equal(error, undefined)
  assert.equal(await readFile(join(root, 'outside/file'), 'utf8'), 'inside')
  assert.ok(existsSync(join(root, 'outside/lib/dpkg/status')))
})

test('a link where dpkg’s list is to be is replaced, not written through', async (t) => {
  const data = [
    folder('./var/'),
    folder('./var/lib/'),
    folder('./var/lib/dpkg/'),
    symlink('./var/lib/dpkg/status', '../../../../outside/sentinel'),
  ]
  const {root, error} = await unpack(t, rawDeb({data}))
  assert.equal(error, undefined)
  assert.match(await readFile(join(root, 'var/lib/dpkg/status'), 'utf8'), /^Package: evil$/m)
})

test('a member that is not whole ends it, however sound the rest is', async (t) => {
  const {error} = await unpack(
    t,
    rawDeb({data: [tarMember({name: './file', data: 'short', sizeBytes: 100_000})]}),
  )
  assert.ok(isRefused(error), String(error))
})
