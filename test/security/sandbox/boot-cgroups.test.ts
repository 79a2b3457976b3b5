import assert from 'node:assert/strict'
import {spawn} from 'node:child_process'
import {once} from 'node:events'
import {readFileSync} from 'node:fs'
import {constants} from 'node:os'
import {createInterface} from 'node:readline'
import {type TestContext, test} from 'node:test'
import {fileURLToPath} from 'node:url'
import {debArchitecture, systemCalls} from '../../../src/host/machine/arch.js'
import {templatePath} from '../../../src/host/paths.js'
import {waitUntil} from '../../support/wait-until.js'

const SERVER = fileURLToPath(new URL('../../support/programs/cgroups-server.pl', import.meta.url))
const {EACCES, EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOSYS, EPERM, ESRCH} = constants.errno
const [LOOKUP, GETATTR, SETATTR, SYMLINK, MKDIR, RMDIR, READ, WRITE, INIT, READDIR] = [
  1, 3, 4, 6, 9, 11, 15, 16, 26, 28,
]
const ROOT = 1n
const HEADER_BYTES = 40

type Request = {
  readonly opcode: number
  readonly node?: bigint
  readonly uid?: number
  readonly pid?: number
  readonly data?: Buffer
}

type Answer = {readonly error: number; readonly data: Buffer}

/** Asks the server; undefined for a request that gets no answer. */
type Ask = (request: Request | Buffer) => Promise<Answer | undefined>

async function givenServer(t: TestContext): Promise<Ask> {
  const prlimit = String(systemCalls(debArchitecture(process.arch)).prlimit64)
  const child = spawn('perl', [SERVER, templatePath('host/boot/cgroups.pl'), prlimit], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  t.after(() => child.kill())
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return async (request) => {
    child.stdin.write(`${(Buffer.isBuffer(request) ? request : encode(request)).toString('hex')}\n`)
    const {value, done} = await lines.next()
    if (done === true) throw new Error(`the server ended with ${await once(child, 'exit')}`)
    if (value === '-') return undefined
    const bytes = Buffer.from(String(value), 'hex')
    return {error: Math.abs(bytes.readInt32LE(4)), data: bytes.subarray(16)}
  }
}

/** struct fuse_in_header of linux/fuse.h, and the data. */
function encode({opcode, node = ROOT, uid = 0, pid = 0, data = Buffer.alloc(0)}: Request): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32LE(HEADER_BYTES + data.length, 0)
  header.writeUInt32LE(opcode, 4)
  header.writeBigUInt64LE(7n, 8)
  header.writeBigUInt64LE(node, 16)
  header.writeUInt32LE(uid, 24)
  header.writeUInt32LE(pid, 32)
  return Buffer.concat([header, data])
}

function name(text: string): Buffer {
  return Buffer.from(`${text}\0`)
}

function folder(text: string): Buffer {
  return Buffer.concat([Buffer.alloc(8), name(text)])
}

function written(text: string, size = text.length): Buffer {
  const head = Buffer.alloc(40)
  head.writeUInt32LE(size, 16)
  return Buffer.concat([head, Buffer.from(text)])
}

/** struct fuse_read_in: of a whole file. */
function wholeFile(): Buffer {
  const bytes = Buffer.alloc(40)
  bytes.writeUInt32LE(65_536, 16)
  return bytes
}

async function errorOf(ask: Ask, request: Request): Promise<number | undefined> {
  return (await ask(request))?.error
}

async function idOf(ask: Ask, parent: bigint, entry: string): Promise<bigint> {
  const answer = await ask({opcode: LOOKUP, node: parent, data: name(entry)})
  assert.equal(answer?.error, 0)
  return answer?.data.readBigUInt64LE(0) ?? 0n
}

test('malformed requests are refused, and the next one is answered', async (t) => {
  const ask = await givenServer(t)
  const procs = await idOf(ask, ROOT, 'cgroup.procs')
  assert.equal(await ask(Buffer.from('short')), undefined)
  for (const opcode of [SETATTR, MKDIR, READ, WRITE, INIT, READDIR])
    assert.equal(await errorOf(ask, {opcode, data: Buffer.alloc(3)}), EINVAL, `${opcode}`)
  assert.equal(await errorOf(ask, {opcode: 4000}), ENOSYS)
  assert.equal(await errorOf(ask, {opcode: SYMLINK, data: name('x')}), ENOSYS)
  assert.equal(await errorOf(ask, {opcode: GETATTR, node: 999_999n}), ENOENT)
  assert.equal(await errorOf(ask, {opcode: READDIR, node: procs, data: Buffer.alloc(40)}), EINVAL)
  assert.equal(await errorOf(ask, {opcode: MKDIR, node: procs, data: folder('x')}), EINVAL)
  assert.equal(await errorOf(ask, {opcode: RMDIR, data: name('cgroup.procs')}), EPERM)
  assert.equal(await errorOf(ask, {opcode: RMDIR, data: Buffer.alloc(0)}), ENOENT)
  assert.equal(await errorOf(ask, {opcode: MKDIR, data: folder('x'.repeat(256))}), ENAMETOOLONG)
  for (const text of ['', 'all', '-1', '1 2', '99999999999', '0x1'])
    assert.equal(await errorOf(ask, {opcode: WRITE, node: procs, data: written(text)}), EINVAL, text)
  // Longer than the request.
  assert.equal(await errorOf(ask, {opcode: WRITE, node: procs, data: written('0', 0xffffffff)}), ESRCH)
  assert.equal(await errorOf(ask, {opcode: MKDIR, data: folder('made')}), 0)
  assert.equal(await errorOf(ask, {opcode: MKDIR, data: folder('made')}), EEXIST)
  assert.equal(await errorOf(ask, {opcode: RMDIR, data: name('made')}), 0)
})

test('a user moves no process in groups of another one', async (t) => {
  const ask = await givenServer(t)
  await ask({opcode: MKDIR, data: folder('of-the-user')})
  const group = await idOf(ask, ROOT, 'of-the-user')
  const procs = await idOf(ask, group, 'cgroup.procs')
  const move = {opcode: WRITE, node: procs, data: written('0'), pid: process.pid}
  assert.equal(await errorOf(ask, {...move, uid: 1000}), EACCES)
  assert.equal(await errorOf(ask, move), 0)
})

test('a zombie belongs to no group, nor does a process that has ended', async (t) => {
  const ask = await givenServer(t)
  await ask({opcode: MKDIR, data: folder('unit')})
  const group = await idOf(ask, ROOT, 'unit')
  const procs = await idOf(ask, group, 'cgroup.procs')
  // Its child ends after it has the group of its parent, and is not waited for.
  const FORKS = '$| = 1; <STDIN>; if (my $pid = fork) { print "$pid\\n"; sleep 60 while 1 } exit'
  const parent = spawn('perl', ['-e', FORKS], {stdio: ['pipe', 'pipe', 'inherit']})
  t.after(() => parent.kill())
  const {pid = 0} = parent
  assert.equal(await errorOf(ask, {opcode: WRITE, node: procs, data: written('0'), pid}), 0)
  parent.stdin.write('\n')
  const zombie = Number((await once(parent.stdout, 'data'))[0])
  await waitUntil('a zombie', () => /^State:\s+Z/m.test(readFileSync(`/proc/${zombie}/status`, 'utf8')))
  // This server sees all processes of the machine; those of real guests may have the same mark.
  const members = async () => {
    const answer = await ask({opcode: READ, node: procs, data: wholeFile()})
    return String(answer?.data)
      .split('\n')
      .filter((line) => [pid, zombie].includes(Number(line)))
  }
  assert.deepEqual(await members(), [String(pid)])
  parent.kill()
  await once(parent, 'exit')
  assert.deepEqual(await members(), [])
})

test('a process that gives itself the mark of no group is one of the top group', async (t) => {
  const ask = await givenServer(t)
  const liar = spawn('prlimit', ['--locks=1000999999:', 'sleep', '60'], {stdio: 'ignore'})
  t.after(() => liar.kill())
  await waitUntil('its program', () => readFileSync(`/proc/${liar.pid}/comm`, 'utf8') === 'sleep\n')
  const procs = await idOf(ask, ROOT, 'cgroup.procs')
  const {data} = (await ask({opcode: READ, node: procs, data: wholeFile()})) ?? {}
  assert.ok(String(data).split('\n').includes(String(liar.pid)))
})

test('a request from a namespace whose processes have no id here moves none', async (t) => {
  const ask = await givenServer(t)
  const procs = await idOf(ask, ROOT, 'cgroup.procs')
  for (const uid of [0, 65534])
    assert.equal(await errorOf(ask, {opcode: WRITE, node: procs, data: written('0'), pid: 0, uid}), ESRCH)
})
