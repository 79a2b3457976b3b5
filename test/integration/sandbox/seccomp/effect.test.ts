import assert from 'node:assert/strict'
import {lstat, readdir, writeFile} from 'node:fs/promises'
import {constants} from 'node:os'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {fileURLToPath} from 'node:url'
import {debArchitecture} from '../../../../src/host/machine/arch.js'
import {capture} from '../../../../src/host/process.js'
import {buildFilter} from '../../../../src/sandbox/seccomp/filter.js'
import {type FilterSet, filterSets} from '../../../../src/sandbox/seccomp/rules.js'
import {ABI} from '../../../support/syscall-numbers.js'
import {temporaryFolder} from '../../../support/temporary-folder.js'

const PROBE = fileURLToPath(new URL('../../../support/probe-syscalls.pl', import.meta.url))

/** What a call answered: `ok`, or its errno. */
type Answers = Readonly<Record<string, string>>

/** Makes harmless calls in a child, under the filter of `sets`, or under none; as a user, no privilege needed. */
async function probe(
  t: TestContext,
  sets: readonly FilterSet[] | 'no filter',
): Promise<Answers & {folder: string}> {
  const [scratch, folder] = [await temporaryFolder(t), await temporaryFolder(t)]
  const architecture = debArchitecture(process.arch)
  const filter = join(scratch, 'filter.bpf')
  if (sets !== 'no filter') await writeFile(filter, buildFilter(architecture, sets))
  const {prctl, fchownat, setgroups, mknodat, ioctl, keyctl, fsync, getpid} = ABI[architecture]
  const numbers = {fchownat, setgroups, mknodat, ioctl, keyctl, fsync, getpid}
  const words = Object.entries(numbers).map(([name, number]) => `${name}=${number}`)
  const file = sets === 'no filter' ? '-' : filter
  const ran = await capture(['perl', PROBE, file, folder, String(prctl), ...words], {timeout: 20_000})
  assert.equal(ran.status, 0, ran.stderr)
  return {...parseAnswers(ran.stdout), folder}
}

function parseAnswers(text: string): Answers {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(' '))
  return Object.fromEntries(
    lines.map(([name, result, errno]) => [name, result === '-1' ? errnoName(errno) : 'ok']),
  )
}

function errnoName(errno: string | undefined): string {
  const known = Object.entries(constants.errno).find(([, number]) => String(number) === errno)
  return known?.[0] ?? `errno ${errno}`
}

test('without a filter the probed calls answer for themselves', async (t) => {
  const {chown, tiocsti, fsync, device} = await probe(t, 'no filter')
  assert.deepEqual({chown, tiocsti, fsync}, {chown: 'ENOENT', tiocsti: 'ENOTTY', fsync: 'EBADF'})
  if (process.getuid?.() !== 0) assert.equal(device, 'EPERM')
})

test('an emulated root may give any file away, even one that is not there', async (t) => {
  assert.equal((await probe(t, filterSets('emulated')))['chown'], 'ok')
})

test('an emulated root may set any groups', async (t) => {
  assert.equal((await probe(t, filterSets('emulated')))['setgroups'], 'ok')
})

test('a mapped root really changes owners', async (t) => {
  assert.equal((await probe(t, filterSets('mapped')))['chown'], 'ENOENT')
})

for (const identity of ['emulated', 'mapped'] as const) {
  test(`${identity}: a device node is made in appearance only`, async (t) => {
    const {device, folder} = await probe(t, filterSets(identity))
    assert.equal(device, 'ok')
    assert.equal((await readdir(folder)).includes('device'), false)
  })

  test(`${identity}: a FIFO is made for real`, async (t) => {
    const {fifo, folder} = await probe(t, filterSets(identity))
    assert.equal(fifo, 'ok')
    assert.equal((await lstat(join(folder, 'fifo'))).isFIFO(), true)
  })

  test(`${identity}: a whiteout is made where the kernel allows it`, async (t) => {
    const [free, filtered] = [await probe(t, 'no filter'), await probe(t, filterSets(identity))]
    assert.equal(filtered['whiteout'], free['whiteout'])
  })

  test(`${identity}: nothing can be typed into a terminal`, async (t) => {
    const answers = await probe(t, filterSets(identity))
    assert.equal(answers['tiocsti'], 'EPERM')
    assert.equal(answers['tiocsti-high'], 'EPERM')
  })

  test(`${identity}: other requests reach the terminal driver`, async (t) => {
    assert.equal((await probe(t, filterSets(identity)))['tcgets'], 'ENOTTY')
  })

  test(`${identity}: keyrings are out of reach`, async (t) => {
    assert.equal((await probe(t, filterSets(identity)))['keyctl'], 'EPERM')
  })

  test(`${identity}: flushing to disk is real`, async (t) => {
    assert.equal((await probe(t, filterSets(identity)))['fsync'], 'EBADF')
  })
}

test('the set sync answers a flush at once', async (t) => {
  assert.equal((await probe(t, ['sync']))['fsync'], 'ok')
})
