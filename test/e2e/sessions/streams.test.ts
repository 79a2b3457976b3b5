import assert from 'node:assert/strict'
import {test} from 'node:test'
import {IDENTITIES, sharedGuest} from '../../support/guest.js'

for (const {identity, skip} of IDENTITIES) {
  const play = sharedGuest(identity)

  test(`${identity}: standard input reaches the command, and its end too`, {skip}, async () => {
    const {runWith} = await play()
    const ran = await runWith({input: 'one\ntwo'}, 'cat')
    assert.deepEqual(ran, {status: 0, signal: null, stdout: 'one\ntwo', stderr: ''})
  })

  test(`${identity}: ten megabytes of any bytes go in and out unchanged`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `head -c 10000000 /dev/urandom >bytes
       envs run play cat <bytes | cmp - bytes && cat bytes | envs run play sha256sum | cut -d' ' -f1 >inside
       sha256sum <bytes | cut -d' ' -f1 | cmp - inside && echo same`,
    )
    assert.deepEqual([ran.stdout, ran.stderr], ['same\n', ''])
  })

  test(`${identity}: output and errors stay apart`, {skip}, async () => {
    const {sh} = await play()
    assert.deepEqual(await sh('echo out; echo err >&2; exit 3'), {
      status: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
    })
  })

  for (const [what, redirection] of [
    ['standard input', '0<&-'],
    ['standard output', '1>&-'],
    ['all three streams', '0<&- 1>&- 2>&-'],
  ] as const) {
    test(`${identity}: what the caller has closed of ${what} is empty in the guest`, {skip}, async () => {
      const {onHost} = await play()
      const script = `test "$(wc -c)" = 0 && echo lost && exit 7`
      const ran = await onHost(
        `envs run play sh -c '${script}' </dev/null ${redirection}; echo $? >status; cat status`,
      )
      assert.equal(ran.stdout.replace('lost\n', ''), '7\n')
    })
  }

  test(`${identity}: a reader that leaves ends the writer in the guest`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost('envs run play yes | head -n 1; echo $PIPESTATUS')
    assert.equal(ran.stdout, 'y\n141\n')
  })

  test(`${identity}: input from a file without a name ends where the file does`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost('echo all >nameless; exec 3<nameless; rm nameless; envs run play cat <&3')
    assert.deepEqual([ran.stdout, ran.status], ['all\n', 0])
  })

  test(`${identity}: a file that takes no more ends the writer in the guest`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost(
      `(ulimit -f 10; envs run play sh -c 'yes; echo $? >&2' >limited 2>ended); cat ended`,
    )
    assert.match(ran.stdout, /^141$/m)
  })

  test(`${identity}: input that nobody reads is left to the next reader`, {skip}, async () => {
    const {onHost} = await play()
    const ran = await onHost(`printf 'a\\nb\\n' >lines; { envs run play true; cat; } <lines`)
    assert.equal(ran.stdout, 'a\nb\n')
  })

  test(`${identity}: a command run by run does not wait for what it left in the background`, {
    skip,
  }, async () => {
    const {sh} = await play()
    const ran = await sh('sleep 600 >/dev/null 2>&1 </dev/null & echo $!')
    assert.match(ran.stdout, /^\d+\n$/)
    assert.equal((await sh(`kill ${ran.stdout.trim()} && echo still there`)).stdout, 'still there\n')
  })
}
