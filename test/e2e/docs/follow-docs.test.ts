import assert from 'node:assert/strict'
import {existsSync} from 'node:fs'
import {mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join} from 'node:path'
import {type TestContext, test} from 'node:test'
import {fileURLToPath} from 'node:url'
import {type Captured, capture} from '../../../src/host/process.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const FOLLOW = join(root, 'scripts/follow-docs.mjs')

/** All pages, on a machine that does much else. */
const TIMEOUT_MS = 900_000

const asRoot = process.getuid?.() === 0 && 'root has no layers, and with that no snapshots to tell of'

function follow(pages: readonly string[], options = {}): Promise<Captured> {
  return capture([process.execPath, FOLLOW, ...pages], {timeout: TIMEOUT_MS, ...options})
}

async function followText(t: TestContext, ...lines: string[]): Promise<Captured> {
  const folder = await mkdtemp(join(tmpdir(), 'envs-page-'))
  t.after(() => rm(folder, {recursive: true, force: true}))
  await writeFile(join(folder, 'page.md'), `${lines.join('\n')}\n`)
  return follow([join(folder, 'page.md')])
}

test('what README and docs say can be typed does what they say', {
  skip: asRoot,
  timeout: TIMEOUT_MS,
}, async () => {
  const run = await follow([])
  assert.equal(run.status, 0, `${run.stdout}${run.stderr}`)
})

for (const [what, lines] of [
  ['a command that fails', ['```sh', 'true', 'false', '```']],
  ['a command that succeeds where it should fail', ['```sh', 'true # exits with 1', '```']],
  ['other output', ['```console', '$ echo one', 'two', '```']],
  ['more output', ['```console', '$ printf "one\\ntwo\\n"', 'one', '```']],
  ['no output', ['```console', '$ true', 'one', '```']],
  ['a shell that ends early', ['```sh', 'exit 0', 'true', '```']],
] as const) {
  test(`finds ${what}`, {skip: asRoot}, async (t) => {
    const run = await followText(t, ...lines)
    assert.equal(run.status, 1, run.stdout)
    assert.match(run.stdout, /^WRONG {4}\S*page\.md:1, /m)
  })
}

test('takes what fits: replaced words, left out text, statuses, several lines of one command', {
  skip: asRoot,
}, async (t) => {
  const run = await followText(
    t,
    ...[
      '```console with focal=trixie',
      '$ echo a focal b',
      'a focal …',
      '$ printf "1\\n2\\n3\\n"',
      '1',
      '…',
      '$ sh -c "exit 3" # exits with 3',
    ],
    ...[
      '```',
      '```sh',
      'for word in a b; do',
      '  test "$word" != c',
      'done',
      'cat <<END | grep -q x',
      'x',
      'END',
      '```',
    ],
    ...['```sh no-run: would fail', 'false', '```'],
  )
  assert.equal(run.status, 0, run.stdout)
  assert.match(run.stdout, /^not run {2}\S*page\.md:\d+: would fail$/m)
})

test('refuses a block that says neither that it runs nor why not', {skip: asRoot}, async (t) => {
  const run = await followText(t, '```sh no-run', 'false', '```')
  assert.equal(run.status, 1)
  assert.match(run.stderr, /page\.md:1: /)
})

test('every link leads to a file, and to a heading, that is there', async () => {
  const pages = [
    ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
    ...(await readdir(join(root, 'docs'), {recursive: true}))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ]
  const broken: string[] = []
  for (const page of pages) {
    const text = await readFile(join(root, page), 'utf8')
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link)) continue
      const [target = '', heading] = link.split('#')
      const path = target === '' ? join(root, page) : join(root, dirname(page), target)
      const found = existsSync(path) && (heading === undefined || (await headings(path)).includes(heading))
      if (!found) broken.push(`${page}: ${link}`)
    }
  }
  assert.deepEqual(broken, [])
})

/** As links name them. */
async function headings(page: string): Promise<string[]> {
  const text = await readFile(page, 'utf8')
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}
