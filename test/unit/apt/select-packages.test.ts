import assert from 'node:assert/strict'
import {test} from 'node:test'
import {type PocketName, placeOf} from '../../../src/apt/context.js'
import {parseParagraphs} from '../../../src/apt/format/control.js'
import type {OpenedPocket} from '../../../src/apt/open-pocket.js'
import {openPackageIndex, PackageIndexBuilder, RECORD_FIELDS} from '../../../src/apt/package-index.js'
import {AvailablePackages, selectPackages} from '../../../src/apt/select.js'

type Entry = {
  readonly name: string
  readonly version?: string
  readonly priority?: string
  readonly depends?: string
  readonly preDepends?: string
  readonly provides?: string
}

function pocket(name: PocketName, entries: readonly Entry[]): OpenedPocket {
  const builder = new PackageIndexBuilder()
  for (const {name: own, version = '1', priority = 'optional', ...relations} of entries) {
    const text = `Package: ${own}
Version: ${version}
Architecture: amd64
Priority: ${priority}
Depends: ${relations.depends ?? ''}
Pre-Depends: ${relations.preDepends ?? ''}
Provides: ${relations.provides ?? ''}
Filename: pool/${own}.deb
Size: 1
SHA256: ${'a'.repeat(64)}
`
    for (const paragraph of parseParagraphs(Buffer.from(text), RECORD_FIELDS)) builder.add(paragraph)
  }
  const index = openPackageIndex(builder.finish())
  assert.ok(index)
  const place = placeOf('http://localhost/debian', name)
  const used: Partial<OpenedPocket['used']> = {name}
  return {used: used as OpenedPocket['used'], place, indices: [index]}
}

function select(
  entries: readonly Entry[],
  options: Partial<Parameters<typeof selectPackages>[1]> = {},
): string[] {
  const available = new AvailablePackages([pocket('release', entries)])
  const chosen = selectPackages(available, {
    seeds: available.withPriority('required'),
    include: [],
    excluded: [],
    suite: 'trixie',
    components: ['main'],
    ...options,
  })
  return chosen.map(({name}) => name)
}

const required = (name: string, depends = ''): Entry => ({name, priority: 'required', depends})

test('dependencies of dependencies come too, circles and all', () => {
  assert.deepEqual(
    select([required('aa', 'bb'), {name: 'bb', preDepends: 'cc'}, {name: 'cc', depends: 'aa'}, {name: 'dd'}]),
    ['aa', 'bb', 'cc'],
  )
})

test('the base takes the first alternative, as debootstrap does, whatever else is chosen', () => {
  assert.deepEqual(select([required('aa', 'bb | cc'), required('cc'), {name: 'bb'}]), ['aa', 'bb', 'cc'])
})

test('a name that is only provided brings nothing where a provider is there', () => {
  const mawk = {...required('mawk'), provides: 'awk'}
  assert.deepEqual(select([required('aa', 'awk'), mawk, {name: 'gawk', provides: 'awk'}]), ['aa', 'mawk'])
})

test('a name that is only provided brings the provider that more depends on', () => {
  const providers = [
    {name: 'alpha', provides: 'awk'},
    {name: 'zeta', provides: 'awk', priority: 'standard'},
  ]
  assert.deepEqual(select([required('aa', 'awk'), ...providers]), ['aa', 'zeta'])
})

test('what is asked for takes an alternative that is there already', () => {
  const entries = [required('cc'), {name: 'tool', depends: 'bb | cc'}, {name: 'bb'}]
  assert.deepEqual(select(entries, {include: ['tool']}), ['cc', 'tool'])
  assert.deepEqual(
    select([{name: 'tool', depends: 'bb | cc'}, {name: 'bb'}, {name: 'cc'}], {include: ['tool']}),
    ['bb', 'tool'],
  )
})

test('an alternative whose version does not do is passed over', () => {
  const entries = [{name: 'tool', depends: 'bb (>= 2) | cc'}, {name: 'bb'}, {name: 'cc'}]
  assert.deepEqual(select(entries, {include: ['tool']}), ['cc', 'tool'])
})

test('one that is not wanted is passed over for one that is', () => {
  const entries = [required('init', 'usrmerge | usr-is-merged'), {name: 'usrmerge'}, {name: 'usr-is-merged'}]
  assert.deepEqual(select(entries, {excluded: ['usrmerge']}), ['init', 'usr-is-merged'])
})

test('one that is not wanted is taken where nothing else will do', () => {
  const entries = [required('init', 'usrmerge | usr-is-merged'), {name: 'usrmerge'}]
  assert.deepEqual(select(entries, {excluded: ['usrmerge']}), ['init', 'usrmerge'])
})

test('a dependency that nothing answers is told', () => {
  assert.throws(
    () => select([{name: 'tool', depends: 'bb (>= 2) | cc'}, {name: 'bb'}], {include: ['tool']}),
    {
      code: 'ENVS_UNMET_DEPENDENCY',
      message: 'The package "tool" depends on bb (>= 2) or cc, which main of trixie does not have.',
    },
  )
})

test('a name that is no package is told with the nearest ones', () => {
  assert.throws(() => select([{name: 'hello'}, {name: 'jelly'}], {include: ['helo']}), {
    code: 'ENVS_PACKAGE_NOT_FOUND',
    exitCode: 3,
    message: 'There is no package "helo" in main of trixie.',
    suggestions: [
      'Did you mean hello?',
      'If another component of trixie has it, name that component too: --components main,COMPONENT',
    ],
  })
})

test('a name that is only provided is told with those that provide it', () => {
  assert.throws(
    () => select([{name: 'postfix', provides: 'mail-transport-agent'}], {include: ['mail-transport-agent']}),
    {
      suggestions: [
        'Did you mean postfix?',
        'If another component of trixie has it, name that component too: --components main,COMPONENT',
      ],
    },
  )
})

test('of several pockets the highest version counts, by the order of dpkg', () => {
  const available = new AvailablePackages([
    pocket('release', [
      {name: 'aa', version: '1.9'},
      {name: 'bb', version: '1:1'},
      {name: 'cc', version: '2'},
    ]),
    pocket('security', [
      {name: 'aa', version: '1.10'},
      {name: 'bb', version: '2'},
      {name: 'cc', version: '2'},
    ]),
  ])
  assert.deepEqual(
    ['aa', 'bb', 'cc', 'dd'].map((name) => {
      const found = available.find(name)
      return found && `${found.version} ${found.pocket}`
    }),
    ['1.10 security', '1:1 release', '2 release', undefined],
  )
})

test('the priority that counts is that of the newest version', () => {
  const available = new AvailablePackages([
    pocket('release', [required('aa'), {name: 'bb'}]),
    pocket('updates', [
      {name: 'aa', version: '2'},
      {name: 'bb', version: '2', priority: 'required'},
    ]),
  ])
  assert.deepEqual(available.withPriority('required'), ['bb'])
})
