import {testPackage} from '../../support/package-trial.js'

await testPackage('cron')
