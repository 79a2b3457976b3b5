import {testPackage} from '../../support/package-trial.js'

await testPackage('redis-server')
