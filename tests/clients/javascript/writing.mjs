// Writes 200 records to HOST with the token T, one after another, and prints the number of each that is stored.
import { Sluice } from '../../../api/client/index.js'

const { HOST: url, T: token } = process.env
const sluice = new Sluice({ url, token, retries: 1000, retryFor: 120_000 })
for (let n = 0; n < 200; n++) {
  await sluice.write({ workspace: 'w', id: 'd', data: [{ n }], timeout: 60 })
  console.log(n)
}
