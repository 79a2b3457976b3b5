// Builds, then runs the tests in one runner, whose own closing lines are the last on the screen.
//
//   npm test                      all of them; those of test/live only with ENVS_TEST_LIVE=1
//   ENVS_TEST_ENGINE=unshare …    with another engine than the best
//   npm test -- unit/rootfs e2e   those whose path below test/ begins so
//
// With CI=true a skipped test is a failure: the machine there has been given all that the tests need.
import {spawn} from 'node:child_process'
import {existsSync} from 'node:fs'
import {mkdtemp, readdir, readFile, rm, stat, writeFile} from 'node:fs/promises'
import {availableParallelism, tmpdir} from 'node:os'
import {join, relative} from 'node:path'
import {fileURLToPath} from 'node:url'
import {requireHostPackages} from './host-packages.mjs'

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
  ...['build', 'command-text', 'completion-table', 'man-page', 'manifest-files'].map(
    (name) => `scripts/${name}.mjs`,
  ),
]

async function findTests(filters) {
  const folder = join(root, 'test')
  const entries = await readdir(folder, {recursive: true, withFileTypes: true})
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.test.ts'))
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)))
    .filter((path) => process.env.ENVS_TEST_LIVE === '1' || !path.startsWith('live/'))
    .filter((path) => filters.length === 0 || filters.some((filter) => path.startsWith(filter)))
    .sort()
    .map((path) => join('test', path))
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
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

async function runTests(files, skips) {
  const reporters = [
    ['--test-reporter=./test/support/skip-reporter.mjs', '--test-reporter-destination=stderr'],
    ['--test-reporter=spec', '--test-reporter-destination=stdout'],
  ]
  // Node 20 parses the bundle in NODE_EXTRA_CA_CERTS at every start, 40 ms each for hundreds of processes.
  // Only tests that leave the machine need it: their servers here speak plain http.
  const {NODE_EXTRA_CA_CERTS: certificates, ...env} = process.env
  const isLive = process.env.ENVS_TEST_LIVE === '1' && certificates !== undefined
  // Most of a test is waiting for programs, so each core gets a file, and not one less.
  const concurrency = `--test-concurrency=${availableParallelism()}`
  return runNode(['--import', 'tsx', '--test', concurrency, ...reporters.flat(), ...files], {
    ...env,
    ...(isLive ? {NODE_EXTRA_CA_CERTS: certificates} : {}),
    ENVS_TEST_SKIPS: skips,
  })
}

if (!requireHostPackages()) process.exit(7)

const files = await findTests(process.argv.slice(2))
if (files.length === 0) {
  console.error('No test file matches.')
  process.exit(1)
}
if (!(await isBuildCurrent()) && (await runNode(['scripts/build.mjs'], process.env)) !== 0) process.exit(1)

const scratch = await mkdtemp(join(tmpdir(), 'envs-test-run-'))
try {
  const skips = join(scratch, 'skips')
  await writeFile(skips, '')
  process.exitCode = await runTests(files, skips)
  const skipped = (await readFile(skips, 'utf8')).split('\n').filter(Boolean)
  if (skipped.length > 0 && process.env.CI === 'true') process.exitCode ||= 1
} finally {
  await rm(scratch, {force: true, recursive: true})
}
