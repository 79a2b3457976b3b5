// Builds, then runs the tests in one runner, whose own closing lines are the last on the screen.
//
//   npm test                        what to run between two edits: unit, integration, smoke
//   npm test -- unit/rootfs e2e     those whose path below test/ begins so, whatever their tier
//   npm run test:e2e                whole environments, and attacks
//   npm run test:faults             killed at each step, each errno, full disks
//   npm run test:all                all of these
//   npm run test:live               those that ask the publishers' own servers
//   ENVS_TEST_ENGINE=unshare …      with another engine than the best
//   ENVS_TEST_TIMES_KEPT=FILE …     writes there what each test file took: its seconds, and those of the processors
//
// With CI=true a skipped test is a failure: the machine there has been given all that the tests need.
import {spawn, spawnSync} from 'node:child_process'
import {existsSync, rmSync} from 'node:fs'
import {copyFile, mkdtemp, readdir, readFile, stat, writeFile} from 'node:fs/promises'
import {availableParallelism, tmpdir} from 'node:os'
import {join, relative} from 'node:path'
import {fileURLToPath} from 'node:url'
import {parseArgs} from 'node:util'
import {requireHostPackages} from './host-packages.mjs'
import {bundleTests} from './test-bundle.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The inputs of a build. */
const SOURCES = [
  ...[
    'src',
    'commands',
    'bin/code-cache.js',
    'templates/catalog',
    'docs/exit-codes.md',
    'package.json',
    'package-lock.json',
  ],
  ...['build', 'completion-table', 'manifest-files', 'pages/command-text', 'pages/man-page'].map(
    (name) => `scripts/${name}.mjs`,
  ),
]

/** Where the tests of a tier lie, unless a line `// Tier: NAME, because …` in one says another. The longest first. */
const TIERS = [
  ['e2e/faults/', 'faults'],
  ['e2e/', 'e2e'],
  ['security/', 'e2e'],
  ['live/', 'live'],
  ['', 'fast'],
]

/** Longest files first, so that no core is left alone with one of them at the end. */
const ORDER = ['faults', 'e2e', 'live', 'fast']

async function findTests({tiers, filters}) {
  const folder = join(root, 'test')
  const entries = await readdir(folder, {recursive: true, withFileTypes: true})
  const paths = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.startsWith(filter)))
  const tests = await Promise.all(paths.map(describeTest))
  return tests
    .filter(({tier}) => tiers.includes(tier))
    .sort(
      (one, other) =>
        Number(other.isSlow) - Number(one.isSlow) ||
        ORDER.indexOf(one.tier) - ORDER.indexOf(other.tier) ||
        (one.path < other.path ? -1 : 1),
    )
}

async function describeTest(path) {
  const text = await readFile(join(root, 'test', path), 'utf8')
  const [, own] = TIERS.find(([start]) => path.startsWith(start))
  const tier = /^\/\/ Tier: (\w+), because /m.exec(text)?.[1] ?? own
  if (!ORDER.includes(tier)) throw new Error(`test/${path}: there is no tier ${tier}`)
  const isApart = !path.startsWith('unit/') || /^\/\/ A process of its own, because /m.test(text)
  const isSlow = /^\/\/ Starts first, because /m.test(text)
  return {path: join('test', path), tier, isApart, isSlow}
}

function readArguments() {
  const {values, positionals} = parseArgs({
    allowPositionals: true,
    options: {tier: {type: 'string', multiple: true}},
  })
  const isLive = process.env.ENVS_TEST_LIVE === '1'
  const named =
    positionals.length === 0 && !isLive ? ['fast'] : ORDER.filter((tier) => isLive || tier !== 'live')
  return {tiers: values.tier ?? named, filters: positionals}
}

/**
 * Returns whether the build is current; a user without write access to the checkout can test another user's
 * build.
 */
async function isBuildCurrent() {
  const built = join(root, 'oclif.manifest.json')
  if (!existsSync(built) || !existsSync(join(root, 'dist/main.cjs'))) return false
  const {mtimeMs} = await stat(built)
  for (const source of SOURCES) if ((await newestChange(join(root, source))) > mtimeMs) return false
  return true
}

/** Folders count too: their times tell of files that were removed. */
async function newestChange(path) {
  const state = await stat(path)
  if (!state.isDirectory()) return state.mtimeMs
  const inside = await Promise.all((await readdir(path)).map((name) => newestChange(join(path, name))))
  return Math.max(state.mtimeMs, ...inside)
}

function runNode(argv, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, {cwd: root, env, stdio: 'inherit'})
    // Forward signals instead of exiting: this process removes the files that the tests left.
    const forward = (signal) => child.kill(signal)
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, forward)
    child.once('error', reject)
    child.once('exit', (code) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, forward)
      resolve(code ?? 1)
    })
  })
}

async function runTests(tests, {scratch, isWhole}) {
  const paths = (isApart) => tests.filter((test) => test.isApart === isApart).map(({path}) => path)
  const {files, programs} = await bundleTests({together: paths(false), apart: paths(true)}, scratch)
  const reporter = ['--test-reporter=./test/support/reporter.mjs', '--test-reporter-destination=stdout']
  const [coverage, skips, times] = ['coverage', 'skips', 'times'].map((name) => join(scratch, name))
  for (const list of [skips, times]) await writeFile(list, '')
  // The runner hands it on to the process of each file.
  const preload = `--import=${join(root, 'test/support/programs/file-times.mjs')}`
  // Node 20 parses the bundle in NODE_EXTRA_CA_CERTS at every start, 40 ms each for hundreds of processes.
  // Only tests that leave the machine need it: their servers here speak plain http.
  const {NODE_EXTRA_CA_CERTS: certificates, ...env} = process.env
  const isLive = tests.some(({tier}) => tier === 'live')
  // A test of a whole environment waits for programs and for the network most of the time, the others hardly ever.
  const waiting = tests.some(({tier}) => tier !== 'fast') ? 3 : 0
  const concurrency = `--test-concurrency=${availableParallelism() + waiting}`
  const status = await runNode(
    ['--enable-source-maps', preload, '--test', concurrency, ...reporter, ...files],
    {
      ...env,
      ...(isLive ? {ENVS_TEST_LIVE: '1'} : {}),
      ...(isLive && certificates !== undefined ? {NODE_EXTRA_CA_CERTS: certificates} : {}),
      ...(isWhole ? {NODE_V8_COVERAGE: coverage, ENVS_TEST_COVERAGE: coverage} : {}),
      ENVS_TEST_PROGRAMS: programs,
      ENVS_TEST_SEED: join(scratch, 'seed'),
      ENVS_TEST_SKIPS: skips,
      ENVS_TEST_TIMES: times,
    },
  )
  const skipped = (await readFile(skips, 'utf8')).split('\n').filter(Boolean)
  const {ENVS_TEST_TIMES_KEPT: kept} = process.env
  if (kept !== undefined) await copyFile(times, kept)
  return status === 0 && skipped.length > 0 && process.env.CI === 'true' ? 1 : status
}

/** Some of the files in it are those of other users of a namespace. */
function removeScratch(scratch) {
  const seed = join(scratch, 'seed')
  const asOwner = ['--map-auto', '--map-root-user', '--', 'rm', '-rf', '--', seed]
  if (existsSync(seed)) spawnSync('unshare', asOwner, {stdio: 'ignore'})
  rmSync(scratch, {force: true, recursive: true})
}

if (!requireHostPackages()) process.exit(7)

const asked = readArguments()
const tests = await findTests(asked)
if (tests.length === 0) {
  console.error('No test file matches.')
  process.exit(1)
}
if (!(await isBuildCurrent()) && (await runNode(['scripts/build.mjs'], process.env)) !== 0) process.exit(1)

const scratch = await mkdtemp(join(tmpdir(), 'envs-test-run-'))
try {
  // A part of the tests says nothing of what all of them cover.
  const isWhole = asked.filters.length === 0 && asked.tiers.includes('fast')
  process.exitCode = await runTests(tests, {scratch, isWhole})
} finally {
  removeScratch(scratch)
}
