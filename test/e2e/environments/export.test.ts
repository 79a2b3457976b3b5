import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {readdir, readFile, stat, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {capture} from '../../../src/host/process.js'
import {carriedArchive, listing} from '../../support/carried-tree.js'
import {FRONT_DOOR} from '../../support/cli.js'
import {type EnvironmentCli, environmentCli, plainCli, whyNotMapped} from '../../support/environment-cli.js'
import {startGroup} from '../../support/process-group.js'
import {canSimulate} from '../../support/simulated-host.js'
import {runInTerminal} from '../../support/terminal.js'
import {tinyRootfs} from '../../support/tiny-rootfs.js'

const whyMapped = await whyNotMapped()
const whySmall = (await canSimulate()) ? undefined : 'no user namespace for a small disk'

for (const identity of ['emulated', 'mapped'] as const) {
  for (const storage of ['overlay', 'directory']) {
    test(`an export is the image again, ${identity} and ${storage}`, async (t) => {
      if (identity === 'mapped' && whyMapped !== undefined) return t.skip(whyMapped)
      const cli = await environmentCli(t)
      const archive = await carriedArchive(t)
      const env = {ENVS_STORAGE: storage}
      const made = await cli.runWith({env}, 'create', archive, '-n', 'a', '--identity', identity, '-q')
      assert.equal(made.status, 0, made.stderr)
      const run = await cli.run('export', 'a', '-o', 'a.tar.zst', '-q')
      assert.deepEqual([run.status, run.stderr], [0, ''])
      assert.deepEqual(await listing(join(cli.home, 'a.tar.zst')), await listing(archive))
    })
  }
}

for (const [from, to] of [
  ['emulated', 'mapped'],
  ['mapped', 'emulated'],
  ['emulated', 'emulated'],
] as const) {
  test(`what was exported ${from} and imported ${to} is exported as it was`, async (t) => {
    if (whyMapped !== undefined && [from, to].includes('mapped')) return t.skip(whyMapped)
    const cli = await environmentCli(t)
    await cli.run('create', await carriedArchive(t), '-n', 'a', '--identity', from, '-q')
    await cli.run('export', 'a', '-o', 'a.tar')
    const made = await cli.run('import', 'a.tar', '-n', 'b', '--identity', to, '-q')
    assert.equal(made.status, 0, made.stderr)
    await cli.run('export', 'b', '-o', 'b.tar')
    assert.deepEqual(await listing(join(cli.home, 'b.tar')), await listing(join(cli.home, 'a.tar')))
  })
}

/** A small environment called tiny. */
async function tiny(t: TestContext, files = 0): Promise<EnvironmentCli> {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t, {files})
  const made = await cli.run('create', path, '--identity', 'emulated', '-q')
  assert.equal(made.status, 0, made.stderr)
  return cli
}

for (const [argv, format, magic] of [
  [['-o', 'x.tar'], 'tar', undefined],
  [['-o', 'x.tgz'], 'gz', '1f8b'],
  [['-o', 'x.tar.xz'], 'xz', 'fd377a'],
  [['-o', 'x'], 'zst', '28b52ffd'],
  [['-o', 'x.tar', '--format', 'gz'], 'gz', '1f8b'],
] as const) {
  test(`export ${argv.join(' ')} writes ${format} and tells its digest`, async (t) => {
    const cli = await tiny(t)
    const run = await cli.run('export', 'tiny', ...argv, '--json')
    const bytes = await readFile(join(cli.home, argv[1]))
    const {entries, ...result} = JSON.parse(run.stdout)
    assert.deepEqual(result, {
      name: 'tiny',
      file: join(cli.home, argv[1]),
      format,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      sizeBytes: bytes.length,
    })
    const {stdout} = await capture(['tar', '-tf', join(cli.home, argv[1])])
    assert.equal(stdout.trim().split('\n').length, entries)
    if (magic !== undefined) assert.equal(bytes.toString('hex').slice(0, magic.length), magic)
  })
}

test('an exported file is its owner’s alone, for there are password hashes in it', async (t) => {
  const cli = await tiny(t)
  await cli.run('export', 'tiny', '-o', 'x.tar')
  assert.equal((await stat(join(cli.home, 'x.tar'))).mode & 0o777, 0o600)
})

test('export refuses a path that import refuses, and writes the longest one that import takes', async (t) => {
  const cli = await plainCli(t)
  const {path} = await tinyRootfs(t)
  await cli.run('create', path, '--identity', 'emulated')
  const deepen = (folders: number, length: number) =>
    `for each in $(seq ${folders}); do mkdir ${'n'.repeat(length)}; cd ${'n'.repeat(length)}; done; : >file`
  // 15 folders of 250 bytes have 3765 bytes with their slashes, and 16 have 4016.
  for (const [folders, status] of [
    [15, 0],
    [16, 4],
  ] as const) {
    await capture(['sh', '-c', `rm -rf deep; mkdir deep; cd deep; ${deepen(folders, 250)}`], {
      cwd: cli.root('tiny'),
    })
    const run = await cli.run('export', 'tiny', '-o', `${folders}.tar`, '--json')
    assert.equal(run.status, status, run.stdout)
    if (status !== 0) assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_EXPORT_REFUSED')
  }
  assert.equal((await cli.run('import', '15.tar', '-n', 'again')).status, 0)
  assert.equal(existsSync(join(cli.home, '16.tar')), false)
})

/** `envs` in a script of bash. */
const onHost = (cli: EnvironmentCli, script: string) =>
  capture(['bash', '-c', `envs() { '${FRONT_DOOR}' "$@"; }\n${script}`], {
    cwd: cli.home,
    env: {...cli.env},
    timeout: 60_000,
  })

test('an archive goes through a pipe from one store to another, and keeps its name', async (t) => {
  const cli = await tiny(t, 500)
  const {status, stderr} = await onHost(
    cli,
    `set -o pipefail; envs export tiny -q | ENVS_HOME="$PWD/other" envs import - -q --identity emulated
    status=$?; ENVS_HOME="$PWD/other" envs export tiny -o other.tar -q; ENVS_HOME="$PWD/other" envs rm tiny -q
    envs export tiny -q --format tar >own.tar; exit $status`,
  )
  assert.deepEqual([status, stderr], [0, ''])
  assert.deepEqual(await listing(join(cli.home, 'other.tar')), await listing(join(cli.home, 'own.tar')))
})

test('export to a reader that goes away ends, and says why', async (t) => {
  const cli = await tiny(t, 500)
  const {stdout, stderr} = await onHost(
    cli,
    'envs export tiny -q --format tar | head -c 1000 >/dev/null; echo $PIPESTATUS',
  )
  assert.deepEqual(
    [stdout, stderr],
    ['8\n', 'envs: Could not write the whole tarball: the program that reads it has ended.\n'],
  )
})

test('export writes no archive to a terminal', async (t) => {
  const cli = await tiny(t)
  const {status, screen} = await runInTerminal(`${FRONT_DOOR} export tiny`, {env: cli.env})
  assert.equal(status, 2)
  assert.equal(
    screen,
    'envs: Standard output is a terminal: it cannot take an archive.\r\n  Write to a file: envs export tiny -o tiny.tar.zst\r\n',
  )
})

test('export replaces a file only when told to', async (t) => {
  const cli = await tiny(t)
  await writeFile(join(cli.home, 'x.tar'), 'mine')
  const refused = await cli.run('export', 'tiny', '-o', 'x.tar', '--json')
  assert.equal(refused.status, 4)
  assert.equal(JSON.parse(refused.stdout).error.code, 'ENVS_OUTPUT_EXISTS')
  assert.equal(await readFile(join(cli.home, 'x.tar'), 'utf8'), 'mine')
  assert.equal((await cli.run('export', 'tiny', '-o', 'x.tar', '--force')).status, 0)
  assert.ok((await listing(join(cli.home, 'x.tar'))).length > 2)
  assert.deepEqual(await leftovers(cli), ['x.tar'])
})

for (const [what, argv, status, code] of [
  ['an environment that is not there', ['nothing', '-o', 'x.tar'], 3, 'ENVS_NOT_FOUND'],
  ['a format nobody knows', ['tiny', '-o', 'x', '--format', 'zip'], 2, 'ENVS_USAGE'],
  ['a folder that is not there', ['tiny', '-o', 'no/x.tar'], 8, 'ENVS_OUTPUT_FAILED'],
  ['a device', ['tiny', '-o', '/dev/null', '--force'], 8, 'ENVS_OUTPUT_FAILED'],
  ['standard output beside JSON', ['tiny'], 2, 'ENVS_USAGE'],
  ['the ending of another format', ['tiny', '-o', 'x.zip'], 2, 'ENVS_USAGE'],
  ['the ending of another compression', ['tiny', '-o', 'x.tar.bz2'], 2, 'ENVS_USAGE'],
  ['a folder', ['tiny', '-o', '.', '--force'], 8, 'ENVS_OUTPUT_FAILED'],
  ['a path below a file', ['tiny', '-o', '/etc/passwd/x.tar'], 8, 'ENVS_OUTPUT_FAILED'],
  ['a name that is too long', ['tiny', '-o', `${'x'.repeat(260)}.tar`], 8, 'ENVS_OUTPUT_FAILED'],
] as const) {
  test(`export refuses ${what}`, async (t) => {
    const cli = await tiny(t)
    const run = await cli.run('export', ...argv, '--json')
    assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [status, code])
    assert.deepEqual(await leftovers(cli), [])
  })
}

test('export, interrupted, leaves no file and the environment as it was', async (t) => {
  const cli = await tiny(t, 4000)
  const run = startGroup(cli, ['export', 'tiny', '-o', 'x.tar.xz', '--quiet'])
  while ((await leftovers(cli)).length === 0) await new Promise(setImmediate)
  run.signalGroup('SIGINT')
  const {status, stderr} = await run.ended
  assert.deepEqual([status, stderr], [130, 'envs: Interrupted by SIGINT.\n'])
  assert.deepEqual(await leftovers(cli), [])
  assert.equal((await cli.run('export', 'tiny', '-o', 'x.tar', '-q')).status, 0)
})

test('export on a full disk says so, and leaves nothing there', async (t) => {
  if (whySmall !== undefined) return t.skip(whySmall)
  const cli = await tiny(t, 1000)
  const script = `mkdir small && mount -t tmpfs -o size=1m tmpfs small || exit 99
    status=0; "$@" || status=$?; ls -A small >left; exit $status`
  const prefix = ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, 'sh']
  const run = await cli.runBehind(prefix, 'export', 'tiny', '-o', 'small/x.tar', '--json')
  assert.equal(run.status, 8, run.stderr)
  assert.equal(JSON.parse(run.stdout).error.code, 'ENVS_OUTPUT_FULL')
  assert.equal(await readFile(join(cli.home, 'left'), 'utf8'), '')
})

test('import takes the name from the archive, unless it is taken', async (t) => {
  const cli = await tiny(t)
  await cli.run('export', 'tiny', '-o', 'other-name.tar.zst')
  const taken = await cli.run('import', 'other-name.tar.zst', '--json')
  assert.deepEqual([taken.status, JSON.parse(taken.stdout).error.code], [4, 'ENVS_EXISTS'])
  await cli.run('rm', 'tiny')
  assert.equal((await cli.run('import', 'other-name.tar.zst', '-q')).stdout, 'Imported tiny\n')
  const {image} = JSON.parse((await cli.run('show', 'tiny', '--json')).stdout)
  assert.deepEqual(
    [image.source, image.name, image.trust],
    [join(cli.home, 'other-name.tar.zst'), null, 'unverified'],
  )
})

test('import shows what the archive says of its origin', async (t) => {
  const cli = await tiny(t)
  await cli.run('export', 'tiny', '-o', 'x.tar')
  const {stderr} = await cli.run('import', 'x.tar', '-n', 'b', '--identity', 'emulated')
  assert.match(
    stderr,
    /^The tarball says that it is tiny, created on \d{4}-\d\d-\d\d, emulated, exported by envs \d+\.\d+\.\d+\.$/m,
  )
})

test('import of a rootfs that no envs wrote names it by its file', async (t) => {
  const cli = await environmentCli(t)
  const {path} = await tinyRootfs(t)
  assert.equal((await cli.run('import', path, '-q')).stdout, 'Imported tiny\n')
})

test('import of standard input that gives no name asks for one', async (t) => {
  const cli = await environmentCli(t)
  const {bytes} = await tinyRootfs(t)
  const run = await cli.runWith({input: bytes}, 'import', '-')
  assert.deepEqual(
    [run.status, run.stderr],
    [2, 'envs: The image has no name for the environment.\n  Choose one: --name play\n'],
  )
  assert.equal((await cli.runWith({input: bytes}, 'import', '-', '-n', 'b')).status, 0)
})

test('import makes nothing of an archive that was cut short, or is not the one asked for', async (t) => {
  const cli = await tiny(t, 100)
  const {sha256} = JSON.parse((await cli.run('export', 'tiny', '-o', 'x.tar', '--json')).stdout)
  const bytes = await readFile(join(cli.home, 'x.tar'))
  await writeFile(join(cli.home, 'cut.tar'), bytes.subarray(0, bytes.length - 1024))
  bytes.write('X', bytes.indexOf('ID=tiny'))
  await writeFile(join(cli.home, 'other.tar'), bytes)
  for (const [argv, code] of [
    [['cut.tar'], 'ENVS_ARCHIVE_CORRUPT'],
    [['other.tar', '--sha256', sha256], 'ENVS_DIGEST_MISMATCH'],
  ] as const) {
    const run = await cli.run('import', ...argv, '-n', 'b', '--json')
    assert.deepEqual([run.status, JSON.parse(run.stdout).error.code], [6, code])
  }
  assert.deepEqual(await cli.storeEntries(), ['tiny'])
  assert.equal((await cli.run('import', 'x.tar', '-n', 'b', '--sha256', sha256)).status, 0)
})

async function leftovers(cli: EnvironmentCli): Promise<string[]> {
  const own = new Set(['cache', 'config', 'data', 'run'])
  return (await readdir(cli.home)).filter((name) => !own.has(name)).sort()
}
