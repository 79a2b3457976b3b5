import assert from 'node:assert/strict'
import {testPackage} from '../../support/package-trial.js'

await testPackage('postgresql', {
  claim: 'clusters are made, stopped and purged',
  async andThen(ask) {
    const made = await ask(
      `service postgresql start && su - postgres -c 'createdb mine && psql -Atc "select 2" mine'`,
    )
    assert.match(made.output, /^2$/m)
    assert.match((await ask('pg_lsclusters --no-header')).output, /^\d+ +main +\d+ +online /)

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
