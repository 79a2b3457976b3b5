import assert from 'node:assert/strict'
import {once} from 'node:events'
import {closeSync, mkdirSync, openSync, symlinkSync, truncateSync, writeFileSync} from 'node:fs'
import {createServer} from 'node:net'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../../src/host/process.js'
import {exportTree} from '../../../../src/rootfs/export/export.js'
import {type LedgerEntry, openLedger, writeLedger} from '../../../../src/rootfs/ledger/ledger.js'
import {treeFolder, which} from '../../../support/extraction.js'

type Arena = {
  readonly root: string
  /** Exports the tree, with what a ledger says of it. */
  listed(ledger?: readonly LedgerEntry[]): Promise<string>
}

/** A tree as a guest may leave it, beside a file that is none of its. */
async function arena(t: TestContext): Promise<Arena> {
  const outside = await treeFolder(t)
  const root = join(outside, 'rootfs')
  mkdirSync(root)
  writeFileSync(join(outside, 'secret'), 'secret of the host')
  return {
    root,
    async listed(entries = []) {
      const [archive, ledgerFile] = [join(outside, 'x.tar'), join(outside, 'ledger.jsonl')]
      const ledger = openLedger()
      for (const entry of entries) ledger.note(entry)
      writeLedger(ledgerFile, ledger)
      const fd = openSync(archive, 'w')
      const tar = which('tar')
      assert.ok(tar)
      try {
        await exportTree(root, {ledger: ledgerFile, rule: 'caller', comment: 'test', fd, tar})
      } finally {
        closeSync(fd)
      }
      const contents = await capture(['tar', '-xOf', archive, '--exclude=./hole'])
      assert.doesNotMatch(contents.stdout, /secret of the host/)
      const {status, stdout, stderr} = await capture(['tar', '--numeric-owner', '-tvf', archive])
      assert.deepEqual([status, stderr], [0, ''])
      return stdout
        .replace(/ +\d+ \d{4}-\d\d-\d\d \d\d:\d\d /g, ' ')
        .replace(/,(\d+) \d{4}-\d\d-\d\d \d\d:\d\d /g, ',$1 ')
    },
  }
}

test('links of a guest lead an export nowhere', async (t) => {
  const {root, listed} = await arena(t)
  symlinkSync('../secret', join(root, 'file'))
  symlinkSync('..', join(root, 'folder'))
  mkdirSync(join(root, 'var'))
  symlinkSync('../..', join(root, 'var/lib'))
  assert.equal(
    await listed(),
    [
      ...['drwxr-xr-x 0/0 ./', 'lrwxrwxrwx 0/0 ./file -> ../secret', 'lrwxrwxrwx 0/0 ./folder -> ..'],
      ...['drwxr-xr-x 0/0 ./var/', 'lrwxrwxrwx 0/0 ./var/lib -> ../..', ''],
    ].join('\n'),
  )
})

test('names that look like options, or like more than one member, are names', async (t) => {
  const {root, listed} = await arena(t)
  for (const name of ['--checkpoint-action=exec=sh', '-T', '@secret', 'a\n-rw-r--r-- 0 0 0 b', '*', '[a]'])
    writeFileSync(join(root, name), '')
  assert.deepEqual(
    (await listed())
      .trim()
      .split('\n')
      .map((line) => line.slice(line.indexOf('./')))
      .sort(),
    [
      './',
      './*',
      './--checkpoint-action=exec=sh',
      './-T',
      './@secret',
      './[a]',
      './a\\n-rw-r--r-- 0 0 0 b',
    ].sort(),
  )
})

test('sockets are left out, and nothing waits for a FIFO', async (t) => {
  const {root, listed} = await arena(t)
  const server = createServer().listen(join(root, 'socket'))
  t.after(() => server.close())
  await once(server, 'listening')
  await capture(['mkfifo', '-m', '644', join(root, 'fifo')])
  assert.equal(await listed(), 'drwxr-xr-x 0/0 ./\nprw-r--r-- 0/0 ./fifo\n')
})

test('a file of a tebibyte that is one hole is written in no time, as a hole', async (t) => {
  const {root, listed} = await arena(t)
  writeFileSync(join(root, 'hole'), '')
  truncateSync(join(root, 'hole'), 2 ** 40)
  assert.match(await listed(), /\.\/hole\n$/)
})

const DEVICE = {kind: 'device', uid: 0, gid: 0, mode: 0o666, lost: ['device']} as const
const CHAR = {type: 'char', major: 1, minor: 3} as const

for (const [what, entry] of [
  ['with a number that no device has', {...DEVICE, path: 'null', device: {...CHAR, minor: 2 ** 33}}],
  ['with a negative number', {...DEVICE, path: 'null', device: {...CHAR, major: -1}}],
  ['with a number that is none', {...DEVICE, path: 'null', device: {...CHAR, major: 1.5}}],
  ['of an id that nobody has', {...DEVICE, path: 'null', uid: 2 ** 40, device: CHAR}],
  ['in a folder that is gone', {...DEVICE, path: 'gone/null', device: CHAR}],
  ['outside the tree', {...DEVICE, path: '../null', device: CHAR}],
  ['behind a link of the guest', {...DEVICE, path: 'link/null', device: CHAR}],
  ['where the guest has something by now', {...DEVICE, path: 'taken', device: CHAR}],
] as const) {
  test(`a device ${what} is left out`, async (t) => {
    const {root, listed} = await arena(t)
    symlinkSync('.', join(root, 'link'))
    writeFileSync(join(root, 'taken'), '')
    assert.doesNotMatch(await listed([entry]), /^c/m)
  })
}

test('a device that belongs into the tree comes with its own numbers', async (t) => {
  const {listed} = await arena(t)
  assert.match(await listed([{...DEVICE, path: 'null', device: CHAR}]), /^crw-rw-rw- 0\/0 +1,3 \.\/null$/m)
})

test("dpkg's overrides of a guest change owners in the archive alone, within the tree, by ids that can be", async (t) => {
  const {root, listed} = await arena(t)
  for (const folder of ['var', 'var/lib', 'var/lib/dpkg', 'etc']) mkdirSync(join(root, folder))
  writeFileSync(join(root, 'etc/file'), '')
  symlinkSync('etc', join(root, 'link'))
  writeFileSync(
    join(root, 'var/lib/dpkg/statoverride'),
    '#5 #6 4755 /link/file\n#7 #8 0644 /../../secret\n#4294967295 #0 0644 /etc\nroot\n\0\n',
  )
  const lines = (await listed()).trim().split('\n')
  assert.deepEqual(
    lines.filter((line) => !line.includes(' 0/0 ')),
    ['-rw-r--r-- 5/6 ./etc/file'],
  )
})
