import assert from 'node:assert/strict'
import {test} from 'node:test'
import {planSession} from '../../../../src/environments/session/request.js'
import {parseVolume} from '../../../../src/features/volumes.js'
import {parseEnvironmentName} from '../../../../src/store/environments.js'

const WISH = {
  command: ['true'],
  user: undefined,
  workingFolder: undefined,
  variables: [],
  volumes: [],
  durable: 'auto',
} as const
const AROUND = {environment: {}, forwardsInterrupts: true}
const NAME = parseEnvironmentName('play')

const OWN = [
  {name: 'PATH', value: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'},
  {name: 'LANG', value: 'C.UTF-8'},
  {name: 'container', value: 'envs'},
  {name: 'ENVS_NAME', value: 'play'},
  {name: 'debian_chroot', value: 'play'},
]

test('a plain wish is root, in the home folder, with our variables alone', () => {
  assert.deepEqual(planSession(NAME, WISH, AROUND), {
    command: ['true'],
    user: 'root',
    workingFolder: undefined,
    variables: OWN,
    volumes: [],
    forwardsInterrupts: true,
  })
})

test("variables and folder of the image come after ours, and before the host's and the user's", () => {
  const image = {
    env: ['PATH=/opt/bin', 'A=b=c', 'ENVS_NAME=other', 'TZ=CET', 'PATHS', '=x', 'Z=\0'],
    workingFolder: 'srv/app',
  }
  const around = {...AROUND, environment: {TZ: 'UTC'}, image}
  const {variables, usualFolder} = planSession(NAME, {...WISH, variables: ['A=mine']}, around)
  assert.equal(usualFolder, '/srv/app')
  assert.deepEqual(Object.fromEntries(variables.map(({name, value}) => [name, value])), {
    ...Object.fromEntries(OWN.map(({name, value}) => [name, value])),
    ...{PATH: '/opt/bin', A: 'mine', TZ: 'UTC'},
  })
  assert.deepEqual(
    variables.flatMap(({name, isOfImage}) => (isOfImage === true ? [name] : [])),
    ['PATH', 'A', 'ENVS_NAME', 'TZ'],
  )
})

test("of the host's variables the named ones are passed on, after ours and before the user's", () => {
  const around = {...AROUND, environment: {TZ: 'UTC', SECRET: 'x', TERM: 'xterm', https_proxy: ''}}
  const {variables} = planSession(NAME, {...WISH, variables: ['SECRET', 'TERM=dumb', 'MISSING']}, around)
  assert.deepEqual(variables.slice(OWN.length), [
    {name: 'TERM', value: 'xterm'},
    {name: 'TZ', value: 'UTC'},
    {name: 'https_proxy', value: ''},
    {name: 'SECRET', value: 'x'},
    {name: 'TERM', value: 'dumb'},
    {name: 'MISSING', value: ''},
  ])
})

for (const durable of ['always', 'never'] as const) {
  test(`what is to become of syncs is told when it is ${durable}, and the user may tell the guest otherwise`, () => {
    const {variables} = planSession(NAME, {...WISH, durable, variables: ['ENVS_DURABLE=x']}, AROUND)
    assert.deepEqual(variables.slice(OWN.length), [
      {name: 'ENVS_DURABLE', value: durable},
      {name: 'ENVS_DURABLE', value: 'x'},
    ])
  })
}

for (const name of ['', '=x', '1A=x', 'A-B=x', 'A B', 'Ä=x', 'A\n=x']) {
  test(`refuses the variable ${JSON.stringify(name)}`, () => {
    assert.throws(() => planSession(NAME, {...WISH, variables: [name]}, AROUND), {
      code: 'ENVS_USAGE',
      exitCode: 2,
    })
  })
}

test('refuses a relative working folder', () => {
  assert.throws(() => planSession(NAME, {...WISH, workingFolder: 'srv'}, AROUND), {code: 'ENVS_USAGE'})
})

for (const [text, source, target, access] of [
  ['/a', '/a', '/a', 'rw'],
  ['a', '/home/me/a', '/home/me/a', 'rw'],
  ['.', '/home/me', '/home/me', 'rw'],
  ['../x:/y', '/home/x', '/y', 'rw'],
  ['/a:/b', '/a', '/b', 'rw'],
  ['/a:/b:ro', '/a', '/b', 'ro'],
  ['/a:/b:rw', '/a', '/b', 'rw'],
  ['/a:/b/../c//d', '/a', '/c/d', 'rw'],
  ['/a b:/ü', '/a b', '/ü', 'rw'],
] as const) {
  test(`reads the share ${text}`, () => {
    assert.deepEqual(parseVolume(text, '/home/me'), {source, target, access})
  })
}

for (const text of ['/a:/b,ro', '/a,ro', '/a:/b,z', '/a:/b,rw:ro']) {
  test(`refuses options after a comma, as in ${text}`, () => {
    assert.throws(() => parseVolume(text, '/home/me'), {
      code: 'ENVS_USAGE',
      message: `--volume "${text}" is not valid: options come after a colon.`,
    })
  })
}

test('keeps a comma that begins no option', () => {
  assert.equal(parseVolume('/a:/b,c', '/home/me').target, '/b,c')
})

for (const text of ['', ':/b', '/a:b', '/a:', '/a:/b:', '/a:/b:rx', '/a:/b:ro:x', '/a:/', '/a:/b/..', '/']) {
  test(`refuses the share ${JSON.stringify(text)}`, () => {
    assert.throws(() => parseVolume(text, '/home/me'), {code: 'ENVS_USAGE', exitCode: 2})
  })
}
