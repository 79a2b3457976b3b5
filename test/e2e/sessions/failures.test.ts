import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  for (const {what, argv, status = 125, code} of [
    {what: 'an unknown environment', argv: ['plya', 'true'], code: 'ENVS_NOT_FOUND'},
    {what: 'a name that can be none', argv: ['../play', 'true'], code: 'ENVS_USAGE'},
    {
      what: 'a working folder that is not there',
      argv: ['--workdir', '/no/such', 'play', 'true'],
      code: 'ENVS_SESSION_FAILED',
    },
    {
      what: 'a file as the working folder',
      argv: ['--workdir', '/etc/passwd', 'play', 'true'],
      code: 'ENVS_SESSION_FAILED',
    },
    {what: 'a relative working folder', argv: ['-w', 'etc', 'play', 'true'], code: 'ENVS_USAGE'},
    {what: 'an unknown user', argv: ['-u', 'nobody-such', 'play', 'true'], code: 'ENVS_SESSION_FAILED'},
    {what: 'an unknown group', argv: ['-u', 'root:no-such', 'play', 'true'], code: 'ENVS_SESSION_FAILED'},
    {what: 'an option that does not exist', argv: ['--nope', 'play', 'true'], code: 'ENVS_USAGE'},
    {what: 'no command', argv: ['play'], code: 'ENVS_USAGE'},
    {what: 'no name', argv: [], code: 'ENVS_USAGE'},
    {what: 'a name of no variable', argv: ['-e', '1A=b', 'play', 'true'], code: 'ENVS_USAGE'},
    {
      what: 'a shared folder that is not there',
      argv: ['-v', '/no/such:/x', 'play', 'true'],
      code: 'ENVS_SESSION_FAILED',
    },
    {
      what: 'a command that is not there',
      argv: ['play', 'no-such'],
      status: 127,
      code: 'ENVS_COMMAND_NOT_FOUND',
    },
    {
      what: 'a command that can not be executed',
      argv: ['play', '/etc'],
      status: 126,
      code: 'ENVS_COMMAND_NOT_EXECUTABLE',
    },
  ]) {
    test(`${identity}: ${what} ends run with ${status} and a message on standard error`, {skip}, async () => {
      const {cli} = await play()
      const ran = await cli.run('run', ...argv)
      assert.deepEqual([ran.status, ran.stdout], [status, ''])
      assert.match(ran.stderr, /^envs: [^\n]+\.?\n( {2}[^\n]+\n)*$/)
    })

    test(`${identity}: ${what} is told as JSON with the same status ${status}`, {skip}, async () => {
      const {cli} = await play()
      const ran = await cli.run('run', '--json', ...argv)
      assert.deepEqual([ran.status, ran.stderr], [status, ''])
      const failure = JSON.parse(ran.stdout)
      assert.deepEqual(Object.keys(failure.error), ['code', 'message', 'suggestions'])
      assert.equal(failure.error.code, code)
    })
  }
}
