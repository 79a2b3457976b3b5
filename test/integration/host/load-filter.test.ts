import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {test} from 'node:test'
import type {DebArchitecture} from '../../../src/host/machine/arch.js'
import {templatePath} from '../../../src/host/paths.js'
import {capture} from '../../../src/host/process.js'
import {ABI, ARCHITECTURES} from '../../support/syscall-numbers.js'
import {temporaryFolder} from '../../support/temporary-folder.js'

const PROGRAM = templatePath('rootfs/apt/load-filter')

/** What Debian's perl of each architecture calls it. @see Config(3perl), archname */
const PERL_NAMES: Readonly<Record<DebArchitecture, string>> = {
  amd64: 'x86_64-linux-gnu-thread-multi',
  i386: 'i686-linux-gnu-thread-multi-64int',
  arm64: 'aarch64-linux-gnu-thread-multi',
  armhf: 'arm-linux-gnueabihf-thread-multi-64int',
  riscv64: 'riscv64-linux-gnu-thread-multi',
  loong64: 'loongarch64-linux-gnu-thread-multi',
  ppc64el: 'powerpc64le-linux-gnu-thread-multi',
  s390x: 's390x-linux-gnu-thread-multi',
}

/** The program's table: which names have which number. */
const TABLE = [...readFileSync(PROGRAM, 'utf8').matchAll(/^ +\[qr\/(\S+)\/, +(\d+)\],$/gm)].map(
  ([, pattern = '', number]) => ({pattern: new RegExp(pattern), number: Number(number)}),
)

function numbersFor(archname: string): number[] {
  return TABLE.filter(({pattern}) => pattern.test(archname)).map(({number}) => number)
}

for (const architecture of ARCHITECTURES) {
  test(`a perl for ${architecture} asks by the number that prctl has there`, () => {
    assert.deepEqual(numbersFor(PERL_NAMES[architecture]), [ABI[architecture].prctl])
  })
}

for (const archname of ['x86_64-linux-gnux32-thread-multi', 'powerpc-linux-gnu', 'mips64el-linux-gnuabi64']) {
  test(`a perl for ${archname} asks for nothing`, () => {
    assert.deepEqual(numbersFor(archname), [])
  })
}

for (const [program, check] of [
  ['load-filter', ['perl', '-wc']],
  ['dpkg', ['sh', '-n']],
] as const) {
  test(`${program} compiles without a warning`, async () => {
    const path = templatePath(`rootfs/apt/${program}`)
    const {status, stderr} = await capture([...check, path])
    assert.deepEqual([status, stderr], [0, check[0] === 'perl' ? `${path} syntax OK\n` : ''])
  })
}

for (const [what, filter] of [
  ['an empty filter', Buffer.alloc(0)],
  ['a filter that the kernel refuses', Buffer.from('no BPF at all')],
] as const) {
  test(`${what} is told, and keeps no command from running`, async (t) => {
    const path = join(await temporaryFolder(t), 'filter')
    await writeFile(path, filter)
    assert.equal((await capture(['perl', PROGRAM, path])).status, 1)
    const ran = await capture(['perl', PROGRAM, path, 'sh', '-c', 'echo "$@"; exit 7', 'sh', 'a b', '--'])
    assert.deepEqual([ran.status, ran.stdout, ran.stderr], [7, 'a b --\n', ''])
  })
}

test('a filter that is not there is told, and keeps no command from running', async () => {
  assert.equal((await capture(['perl', PROGRAM, '/nowhere/filter'])).status, 1)
  assert.equal((await capture(['perl', PROGRAM, '/nowhere/filter', 'sh', '-c', 'exit 7'])).status, 7)
})
