// The Go module of the OpenBao API against a server that nobody has initialised: VAULT_ADDR says where.
// Each step prints a line; the first surprise ends the program with exit code 1.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	api "github.com/openbao/openbao/api/v2"
)

const policy = `path "secret/data/app/*" { capabilities = ["read"] }`

func main() {
	root := client("")
	initAndUnseal(root)
	keysAndValues(root)
	wrapping(root)
	policies(root)
	logins(root)
	seal(root)
}

func client(token string) *api.Client {
	config := api.DefaultConfig()
	must(config.Error)
	config.Address = os.Getenv("VAULT_ADDR")
	config.MaxRetries = 0
	client, err := api.NewClient(config)
	must(err)
	client.SetToken(token)
	return client
}

func initAndUnseal(root *api.Client) {
	known, err := root.Sys().InitStatus()
	must(err)
	check(!known, "nobody has initialised the server")
	keys, err := root.Sys().Init(&api.InitRequest{SecretShares: 3, SecretThreshold: 2})
	must(err)
	check(len(keys.Keys) == 3 && len(keys.KeysB64) == 3, "init gives three shares")
	half, err := root.Sys().Unseal(keys.Keys[0])
	must(err)
	check(half.Sealed && half.Progress == 1 && half.T == 2 && half.Nonce != "", "one share is not enough")
	whole, err := root.Sys().Unseal(keys.KeysB64[2])
	must(err)
	check(!whole.Sealed && whole.ClusterName != "", "two shares unseal")
	health, err := root.Sys().Health()
	must(err)
	check(health.Initialized && !health.Sealed && !health.Standby && health.Version != "", "health says so")
	leader, err := root.Sys().Leader()
	must(err)
	check(!leader.HAEnabled || leader.IsSelf, "and so does leader")
	root.SetToken(keys.RootToken)
	own, err := root.Auth().Token().LookupSelf()
	must(err)
	names, err := own.TokenPolicies()
	must(err)
	check(slices.Equal(names, []string{"root"}), "the root token is known")
}

func keysAndValues(root *api.Client) {
	must(root.Sys().Mount("secret", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	mounts, err := root.Sys().ListMounts()
	must(err)
	check(mounts["secret/"].Type == "kv" && mounts["secret/"].Options["version"] == "2", "a store is mounted")
	kv := root.KVv2("secret")
	ctx := context.Background()
	written, err := kv.Put(ctx, "app/first", map[string]any{"motto": "nobody has opened it"})
	must(err)
	check(written.VersionMetadata.Version == 1, "the first version is written")
	_, err = kv.Put(ctx, "app/first", map[string]any{"motto": "too late"}, api.WithCheckAndSet(0))
	check(status(err) == 400, "check-and-set refuses a second first version")
	read, err := kv.Get(ctx, "app/first")
	must(err)
	check(read.Data["motto"] == "nobody has opened it", "what was written is read")
	_, err = kv.Patch(ctx, "app/first", map[string]any{"year": 1240})
	must(err)
	patched, err := kv.Get(ctx, "app/first")
	must(err)
	check(len(patched.Data) == 2 && patched.VersionMetadata.Version == 2, "a patch adds to it")
	listed, err := root.Logical().List("secret/metadata/app")
	must(err)
	check(fmt.Sprint(listed.Data["keys"]) == "[first]", "it is listed")
	must(kv.Delete(ctx, "app/first"))
	gone, err := kv.Get(ctx, "app/first")
	check(err == nil && gone.Data == nil && !gone.VersionMetadata.DeletionTime.IsZero(), "a deleted version is not read")
	must(kv.Undelete(ctx, "app/first", []int{2}))
	back, err := kv.Get(ctx, "app/first")
	must(err)
	check(len(back.Data) == 2, "and read again when it is undeleted")
	_, err = kv.Get(ctx, "app/nothing")
	check(errors.Is(err, api.ErrSecretNotFound), "what is not there is not found")
}

func wrapping(root *api.Client) {
	wrapper, err := root.Clone()
	must(err)
	wrapper.SetToken(root.Token())
	wrapper.SetWrappingLookupFunc(func(string, string) string { return "5m" })
	wrapped, err := wrapper.Logical().Read("secret/data/app/first")
	must(err)
	check(wrapped.WrapInfo != nil && wrapped.WrapInfo.TTL == 300 && wrapped.Data == nil, "an answer is wrapped")
	inside, err := root.Logical().Unwrap(wrapped.WrapInfo.Token)
	must(err)
	data, _ := inside.Data["data"].(map[string]any)
	check(data["motto"] == "nobody has opened it", "it is unwrapped")
	_, err = root.Logical().Unwrap(wrapped.WrapInfo.Token)
	check(status(err) == 400, "once only")
}

func policies(root *api.Client) {
	must(root.Sys().PutPolicy("app", policy))
	text, err := root.Sys().GetPolicy("app")
	must(err)
	check(text == policy, "a policy is read as it was written")
	names, err := root.Sys().ListPolicies()
	must(err)
	check(slices.Contains(names, "app") && slices.Contains(names, "default"), "it is listed")
	secret, err := root.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"app"}, TTL: "10m"})
	must(err)
	limited := client(secret.Auth.ClientToken)
	_, err = limited.KVv2("secret").Get(context.Background(), "app/first")
	must(err)
	check(true, "a limited token reads what its policy allows")
	_, err = limited.Logical().Read("secret/data/other")
	check(status(err) == 403, "and nothing else")
	_, err = limited.KVv2("secret").Put(context.Background(), "app/first", map[string]any{"motto": "mine"})
	check(status(err) == 403, "nor does it write")
	can, err := limited.Sys().CapabilitiesSelf("secret/data/app/first")
	must(err)
	check(slices.Equal(can, []string{"read"}), "it knows what it can do")
	watch(limited, secret)
	must(limited.Auth().Token().RevokeSelf(""))
	_, err = limited.Auth().Token().LookupSelf()
	check(status(err) == 403, "a revoked token is unknown")
}

// watch lets the module's own watcher renew the token once.
func watch(limited *api.Client, secret *api.Secret) {
	watcher, err := limited.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: secret, Increment: 600})
	must(err)
	go watcher.Start()
	defer watcher.Stop()
	select {
	case renewal := <-watcher.RenewCh():
		check(renewal.Secret.Auth.LeaseDuration == 600, "the watcher renews it")
	case err := <-watcher.DoneCh():
		must(fmt.Errorf("the watcher gave up: %w", err))
	case <-time.After(20 * time.Second):
		must(errors.New("the watcher did not renew within 20 s"))
	}
}

func logins(root *api.Client) {
	err := root.Sys().EnableAuthWithOptions("userpass", &api.EnableAuthOptions{Type: "userpass"})
	if status(err) == 400 {
		fmt.Println("skip: the server has no userpass")
		return
	}
	must(err)
	_, err = root.Logical().Write("auth/userpass/users/newton", map[string]any{"password": "a word", "token_policies": []string{"app"}})
	must(err)
	nobody := client("")
	_, err = nobody.Logical().Write("auth/userpass/login/newton", map[string]any{"password": "another word"})
	check(status(err) == 400, "a wrong password is refused")
	login, err := nobody.Logical().Write("auth/userpass/login/newton", map[string]any{"password": "a word"})
	must(err)
	check(slices.Equal(login.Auth.Policies, []string{"app", "default"}), "a login gives a token with the user's policies")
	_, err = client(login.Auth.ClientToken).KVv2("secret").Get(context.Background(), "app/first")
	must(err)
	check(true, "and it reads")
}

func seal(root *api.Client) {
	must(root.Sys().Seal())
	state, err := root.Sys().SealStatus()
	must(err)
	check(state.Sealed, "it is sealed")
	_, err = root.Logical().Read("secret/data/app/first")
	check(status(err) == 503, "and tells nothing")
}

// status is that of a refusal; 0 if the error is none.
func status(err error) int {
	var refusal *api.ResponseError
	if errors.As(err, &refusal) {
		return refusal.StatusCode
	}
	return 0
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(holds bool, what string) {
	if !holds {
		must(fmt.Errorf("does not hold: %s", what))
	}
	fmt.Println("ok:", what)
}
