/**
 * Makes `msk-tokens.jsonl`: the tokens of AWS's own signer (aws-msk-iam-sasl-signer-go) for credentials of nobody, each of the time of
 * its making, which stands in it. Run it by `node test/golden/msk-tokens.ts > test/golden/msk-tokens.jsonl`; it needs Go and its module proxy.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { serversDir } from '../servers/cache.ts'
import { buildGo } from '../servers/go.ts'

const MAIN = `package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-msk-iam-sasl-signer-go/signer"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

func main() {
	for _, one := range [][4]string{
		{"us-east-1", "AKIDEXAMPLE", "plain", ""},
		{"eu-central-1", "ASIAEXAMPLE", "secret with/odd+characters=", "token/with+odd=characters&more//=="},
		{"cn-north-1", "AKIDEXAMPLE", "s", ""},
	} {
		provider := credentials.NewStaticCredentialsProvider(one[1], one[2], one[3])
		token, _, err := signer.GenerateAuthTokenFromCredentialsProvider(context.Background(), one[0], provider)
		if err != nil {
			panic(err)
		}
		out, _ := json.Marshal(map[string]string{
			"region": one[0], "accessKeyId": one[1], "secretAccessKey": one[2], "sessionToken": one[3], "token": token,
		})
		fmt.Println(string(out))
	}
}
`
const requires = {
  'github.com/aws/aws-msk-iam-sasl-signer-go': 'v1.0.4',
  'github.com/aws/aws-sdk-go-v2/credentials': 'v1.17.70',
}
buildGo({ dir: 'msk-signer-1.0.4', name: 'msk-signer', main: MAIN, requires })
process.stdout.write(execFileSync(join(serversDir(), 'msk-signer-1.0.4', 'msk-signer')))
