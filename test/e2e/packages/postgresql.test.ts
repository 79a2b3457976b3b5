import assert from 'node:assert/strict'
import type {Ask, TriedEnvironment} from '../../../matrix/trial.js'
import {testPackage} from '../../support/package-trial.js'
import {waitUntil} from '../../support/wait-until.js'

const psql = (database: string, query: string) => `runuser -u postgres -- psql -AXtc "${query}" ${database}`

/** Each transaction of pgbench(1) adds the same amount to four tables. */
const IS_BALANCED = `select count(*) > 0 and sum(delta) = (select sum(abalance) from pgbench_accounts)
  and sum(delta) = (select sum(tbalance) from pgbench_tellers) and sum(delta) = (select sum(bbalance) from pgbench_branches) from pgbench_history`

/** Takes a snapshot while clients write, and looks into the database that comes back from it. */
async function restoreUnderLoad(ask: Ask, {name, envs}: TriedEnvironment): Promise<void> {
  const done = async () => Number((await ask(psql('bench', 'select count(*) from pgbench_history'))).output)
  const made = await ask(
    'runuser -u postgres -- sh -c "createdb bench && pgbench --initialize --quiet bench"',
  )
  assert.equal(made.status, 0, made.output)
  const load = 'pgbench --no-vacuum --client=4 --rate=100 --time=600 bench'
  const started = await envs(
    'run',
    '--detach',
    '--name',
    'load',
    name,
    '--',
    'runuser',
    '-u',
    'postgres',
    '--',
    'sh',
    '-c',
    load,
  )
  assert.equal(started.status, 0, started.output)
  const before = await waitUntil('transactions', async () => (await done()) > 100 && done())
  const taken = await envs('snapshot', name, 'loaded')
  assert.equal(taken.status, 0, taken.output)
  await waitUntil('more transactions', async () => (await done()) > before + 100)
  for (const argv of [
    ['stop', name],
    ['restore', name, 'loaded'],
  ]) {
    const ran = await envs(...argv)
    assert.equal(ran.status, 0, ran.output)
  }
  const again = await ask(`service postgresql start && ${psql('bench', IS_BALANCED)}`)
  assert.match(again.output, /^t$/m)
  assert.ok((await done()) >= before)
}

await testPackage('postgresql', {
  claim: 'clusters are made, stopped and purged, and a snapshot under load has a consistent database',
  async andThen(ask, environment) {
    const made = await ask(
      `service postgresql start && su - postgres -c 'createdb mine && psql -Atc "select 2" mine'`,
    )
    assert.match(made.output, /^2$/m)
    assert.match((await ask('pg_lsclusters --no-header')).output, /^\d+ +main +\d+ +online /)

    await restoreUnderLoad(ask, environment)

    const second = await ask(
      `version=$(ls /etc/postgresql); pg_createcluster "$version" second --start >/dev/null &&
     runuser -u postgres -- psql --cluster "$version/second" -Atc 'select 3' &&
     pg_dropcluster --stop "$version" second`,
    )
    assert.deepEqual(second, {status: 0, output: '3\n'})

    const stopped = await ask('pg_ctlcluster $(ls /etc/postgresql) main stop && pg_lsclusters --no-header')
    assert.match(stopped.output, /^\d+ +main +\d+ +down /)
    const purged = await ask(
      `DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y 'postgresql*' >/dev/null 2>&1; dpkg --audit
     ls -d /etc/postgresql /var/lib/postgresql 2>/dev/null; ls /usr/bin | grep -c cluster`,
    )
    assert.equal(purged.output, '0\n')
  },
})
