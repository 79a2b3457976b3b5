import {renderTable} from '../src/cli/table.js'
import type {Identity} from '../src/sandbox/identity.js'
import type {Facts} from './facts.js'
import type {Outcome} from './trial.js'

/** For a terminal: one line an outcome, then the output of failures. */
export function renderOutcomes(outcomes: readonly Outcome[]): string {
  const table = renderTable<Outcome>(
    outcomes,
    [
      {title: 'package', show: (outcome) => outcome.package},
      {title: 'identity', show: ({identity}) => identity},
      {title: 'result', show: ({failure}) => (failure === undefined ? 'ok' : 'FAILED')},
      {title: 'seconds', align: 'right', show: ({installMs}) => seconds(installMs)},
      {title: 'version', show: ({version}) => version ?? '-'},
      {title: 'checked', show: (outcome) => noteOf(outcome)},
    ],
    undefined,
  )
  const failures = outcomes.flatMap(({failure, ...outcome}) =>
    failure === undefined
      ? []
      : [`\n${outcome.package}, ${outcome.identity}, ${failure.step}:`, ...failure.lastLines],
  )
  return [table, ...failures].join('\n')
}

/** Separates the packages of docs/compatibility.md from the services, which another run writes. */
const SERVICES_MARK = '<!-- services -->\n'

/** Returns the part of docs/compatibility.md about services. @throws {Error} Without its mark. */
export function servicesOf(page: string): string {
  return splitAtServices(page)[1]
}

/** Returns the page with another table of services. @throws {Error} Without the mark. */
export function replaceServices(page: string, table: string): string {
  return `${splitAtServices(page)[0]}${SERVICES_MARK}\n${table}\n`
}

function splitAtServices(page: string): [before: string, after: string] {
  const at = page.indexOf(SERVICES_MARK)
  if (at === -1) throw new Error(`docs/compatibility.md has no line ${SERVICES_MARK.trim()}`)
  return [page.slice(0, at), page.slice(at + SERVICES_MARK.length).trimStart()]
}

/** Returns docs/compatibility.md. @param services - The part about services, which stays. */
export function renderDocument(
  facts: Facts,
  {outcomes, services}: {outcomes: readonly Outcome[]; services: string},
): string {
  const packages = [...new Set(outcomes.map((outcome) => outcome.package))]
  const identities = [...new Set(outcomes.map(({identity}) => identity))]
  const passed = outcomes.filter(({failure}) => failure === undefined).length
  const of = (name: string, identity: Identity) =>
    outcomes.find((outcome) => outcome.package === name && outcome.identity === identity)
  const rows = packages.map((name) => {
    const tried = identities.flatMap((identity) => of(name, identity) ?? [])
    const cells = identities.map((identity) => cellOf(of(name, identity)))
    return [name, tried.find(({version}) => version !== undefined)?.version ?? '', ...cells, notesOf(tried)]
  })
  return `# Compatibility

Written by \`npm run matrix -- --write\`. Each package was installed twice, each time with \`apt-get install -y\` and recommended
packages in a fresh environment made of a minimal Debian. *ok* says that \`apt-get\` ended with status 0, \`dpkg --audit\` printed
nothing, dpkg has the package as installed, what the last column names was seen, and \`envs rm\` removed the environment. The time
is that of \`apt-get install\`, with other installations at the same time.

${FACTS.map(({title, name}) => `- ${title}: ${facts[name]}`).join('\n')}

${passed} of ${outcomes.length} ok.

${row(['package', 'version', ...identities, 'what else was seen'])}
${row(['---', '---', ...identities.map(() => '---:'), '---'])}
${rows.map(row).join('\n')}
${outcomes.map(failureSection).join('')}
${SERVICES_SECTION}${services}`
}

const SERVICES_SECTION = `## Services

Written by \`npm run matrix -- services --write\`. All packages are installed by one \`apt-get install\`, the environment is booted by
\`envs start\`, and each service is asked for an answer on its port or socket for a minute and a half. *yes* says that it came; nothing
was started by hand. Ports below 1024 are moved before. \`-\`: the release has no such package. The whole is degraded if any unit failed, also one that is not in
the table. With the identity emulated, Dovecot does not start ([why](identity.md#users-in-emulated)). Times of the boot are those of a busy machine.

${SERVICES_MARK}
`

const FACTS = [
  {title: 'Date', name: 'date'},
  {title: 'Guest', name: 'guest'},
  {title: 'envs', name: 'envs'},
  {title: 'Kernel', name: 'kernel'},
  {title: 'bubblewrap', name: 'bubblewrap'},
  {title: 'util-linux', name: 'utilLinux'},
  {title: 'Node.js', name: 'node'},
] as const

function cellOf(outcome: Outcome | undefined): string {
  if (outcome === undefined) return ''
  return outcome.failure === undefined ? `ok, ${seconds(outcome.installMs)} s` : '**failed**'
}

/** Returns the notes that hold for every outcome, or the failure. */
function notesOf(outcomes: readonly Outcome[]): string {
  return [...new Set(outcomes.map(noteOf))].filter((note) => note !== '').join('; ')
}

function noteOf({failure, claim, identity}: Outcome): string {
  if (failure !== undefined) return `${identity}: ${failure.step} failed`
  return claim ?? ''
}

/** Indented, so that no output becomes Markdown. */
function failureSection({failure, ...outcome}: Outcome): string {
  if (failure === undefined) return ''
  const lines = failure.lastLines.map((line) => `    ${line}`).join('\n')
  return `\n## ${outcome.package}, ${outcome.identity}\n\n${failure.step} ended with status ${failure.status}:\n\n${lines}\n`
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(0)
}
