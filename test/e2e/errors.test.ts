import assert from 'node:assert/strict'
import {test} from 'node:test'
import {sandboxedCli} from '../support/cli.js'
import {givenEnvironment} from '../support/store-at-rest.js'

for (const {what, argv, status, code, human} of [
  {
    what: 'a command that does not exist',
    argv: ['confg'],
    status: 2,
    code: 'ENVS_UNKNOWN_COMMAND',
    human: 'envs: There is no command "confg".\n  try: envs config\n  try: envs --help\n',
  },
  {
    what: 'a command that is an option',
    argv: ['version'],
    status: 2,
    code: 'ENVS_UNKNOWN_COMMAND',
    human: 'envs: There is no command "version".\n  try: envs --version\n  try: envs --help\n',
  },
  ...['rmm', 'stpo', 'stop-all', 'prune-all', 'restor', 'undoo', 'remov', 'delet'].map((word) => ({
    what: `no command that removes or ends something, for ${word}`,
    argv: [word],
    status: 2,
    code: 'ENVS_UNKNOWN_COMMAND',
    human: `envs: There is no command "${word}".\n  try: envs --help\n`,
  })),
  {
    what: 'an option of no command that is misspelt',
    argv: ['--versoin'],
    status: 2,
    code: 'ENVS_USAGE',
    human: [
      'envs: The option --versoin is before the command.\n',
      '  try: envs --version\n  Options come after the command: envs COMMAND --versoin\n  try: envs --help\n',
    ].join(''),
  },
  {
    what: 'a command of a group that does not exist',
    argv: ['config', 'lits'],
    status: 2,
    code: 'ENVS_UNKNOWN_COMMAND',
    human: 'envs: There is no command "config lits".\n  try: envs config list\n  try: envs config --help\n',
  },
  {
    what: 'an argument that is missing',
    argv: ['config', 'get'],
    status: 2,
    code: 'ENVS_USAGE',
    human: 'envs: Missing: name of the setting.\n  try: envs config get --help\n',
  },
  {
    what: 'an argument too many',
    argv: ['config', 'list', 'web'],
    status: 2,
    code: 'ENVS_USAGE',
    human: 'envs: Unexpected argument: web\n  try: envs config list --help\n',
  },
  {
    what: 'an option that does not exist',
    argv: ['config', 'list', '--nope'],
    status: 2,
    code: 'ENVS_USAGE',
    human: 'envs: Nonexistent flag: --nope\n  try: envs config list --help\n',
  },
  {
    what: 'a value that is not allowed',
    argv: ['config', 'set', 'engine', 'docker'],
    status: 2,
    code: 'ENVS_BAD_SETTING',
    human: 'envs: engine cannot be "docker": it must be one of: auto, bwrap, unshare, proot.\n',
  },
  {
    what: 'a command of another tool',
    argv: ['pull', 'ubuntu'],
    status: 2,
    code: 'ENVS_UNKNOWN_COMMAND',
    human: 'envs: There is no command "pull".\n  try: envs image pull IMAGE\n  try: envs --help\n',
  },
  {
    what: 'a flag of another tool',
    argv: ['create', '--image', 'ubuntu', '--name', 'x'],
    status: 2,
    code: 'ENVS_USAGE',
    human:
      'envs: Nonexistent flag: --image\n  The image stands without a flag: envs create IMAGE --name NAME\n  try: envs create --help\n',
  },
  {
    what: 'an image in the spelling of another tool',
    argv: ['create', 'Ubuntu-20.04'],
    status: 3,
    code: 'ENVS_UNKNOWN_IMAGE',
    human: 'envs: There is no image named "Ubuntu-20.04".\n  Did you mean ubuntu:20.04?\n',
  },
  {
    what: 'a file where an environment is copied',
    argv: ['clone', 'play:/etc/hosts', '.'],
    status: 2,
    code: 'ENVS_USAGE',
    human:
      'envs: Could not copy "play:/etc/hosts": this command copies a whole environment.\n  Copy files: envs cp SOURCE TARGET\n',
  },
  {
    what: 'a name that steers a terminal',
    argv: ['\x1b]0;owned\x07'],
    status: 2,
    code: 'ENVS_UNKNOWN_COMMAND',
    human: 'envs: There is no command "\\e]0;owned\\x07".\n  try: envs --help\n',
  },
]) {
  test(`tells of ${what} on standard error`, async (t) => {
    const cli = await sandboxedCli(t)
    const run = await cli.run(...argv)
    assert.deepEqual(run, {status, signal: null, stdout: '', stderr: human})
  })

  test(`tells of ${what} as JSON, with the same status`, async (t) => {
    const cli = await sandboxedCli(t)
    const run = await cli.run(...argv, '--json')
    assert.equal(run.status, status)
    assert.equal(run.stderr, '')
    const failure = JSON.parse(run.stdout)
    assert.deepEqual(Object.keys(failure), ['error'])
    assert.deepEqual(Object.keys(failure.error), ['code', 'message', 'suggestions'])
    assert.equal(failure.error.code, code)
  })
}

test('an environment without a command leads to the command that enters it', async (t) => {
  const cli = await givenEnvironment(t, 'play')
  const run = await cli.run('play')
  assert.deepEqual(
    [run.status, run.stderr],
    [2, 'envs: There is no command "play".\n  try: envs enter play\n  try: envs --help\n'],
  )
})

test('does not read a missing argument from standard input', async (t) => {
  const cli = await sandboxedCli(t)
  const run = await cli.runWith({input: 'engine\n'}, 'config', 'get')
  assert.equal(run.status, 2)
  assert.equal(run.stdout, '')
})

test('asks for options after the command', async (t) => {
  const cli = await sandboxedCli(t)
  const run = await cli.run('--quiet', 'config', 'list')
  assert.equal(run.status, 2)
  assert.equal(run.stderr.split('\n')[1], '  Options come after the command: envs COMMAND --quiet')
})

for (const mode of ['development', 'test']) {
  test(`is not moved by NODE_ENV=${mode}`, async (t) => {
    const cli = await sandboxedCli(t)
    const run = await cli.runWith({env: {NODE_ENV: mode}}, 'config', 'get', 'engine')
    assert.deepEqual(run, {status: 0, signal: null, stdout: 'auto\n', stderr: ''})
  })
}
