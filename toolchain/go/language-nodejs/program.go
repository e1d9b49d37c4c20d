package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	pulumirpc "github.com/pulumi/pulumi/sdk/v3/proto/go"
)

// The Node SDK leaves with this code after it has told the engine what is wrong; nothing is to be added then
// (nodeJSProcessExitedAfterLoggingUserActionableMessage in @pulumi/pulumi/cmd/run).
const exitAlreadyReported = 32

// killAfter is the time between asking a program to end and ending it.
const killAfter = 2 * time.Second

// programRun is one start of the user's program: which node, with which arguments and environment.
type programRun struct {
	node, folder     string
	arguments, extra []string
}

// planRun translates the engine's request into a command line of the SDK's own entry, @pulumi/pulumi/cmd/run.
func planRun(request *pulumirpc.RunRequest, engine string) (*programRun, error) {
	info := request.GetInfo()
	folder := info.GetProgramDirectory()
	node, err := findNode(folder)
	if err != nil {
		return nil, err
	}
	entry, found := upwards(folder, "node_modules/@pulumi/pulumi/cmd/run/index.js")
	if !found {
		return nil, fmt.Errorf("@pulumi/pulumi is not installed for the program in %s; run `npm ci` there", folder)
	}
	// The SDK expects an object and a list, never null.
	settings := request.GetConfig()
	if settings == nil {
		settings = map[string]string{}
	}
	config, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be handed over: %w", err)
	}
	secretKeys, err := json.Marshal(append([]string{}, request.GetConfigSecretKeys()...))
	if err != nil {
		return nil, fmt.Errorf("the configuration's secret keys cannot be handed over: %w", err)
	}

	options := info.GetOptions().AsMap()
	plan := &programRun{
		node:      node,
		folder:    folder,
		arguments: append(nodeArguments(options), entry),
		extra:     []string{"PULUMI_CONFIG=" + string(config), "PULUMI_CONFIG_SECRET_KEYS=" + string(secretKeys)},
	}
	// ts-node unless the project says `typescript: false`, as the official host has it.
	if options["typescript"] != false {
		plan.extra = append(plan.extra, "PULUMI_NODEJS_TYPESCRIPT=true")
	}
	if cache := compileCache(); cache != "" {
		plan.extra = append(plan.extra, "NODE_COMPILE_CACHE="+cache)
	}

	flag := func(name, value string) {
		if value != "" {
			plan.arguments = append(plan.arguments, "--"+name, value)
		}
	}
	flag("monitor", request.GetMonitorAddress())
	flag("engine", engine)
	flag("organization", request.GetOrganization())
	flag("root-directory", info.GetRootDirectory())
	flag("project", request.GetProject())
	flag("stack", request.GetStack())
	flag("pwd", request.GetPwd())
	if request.GetDryRun() {
		plan.arguments = append(plan.arguments, "--dry-run")
	}
	flag("parallel", strconv.Itoa(int(request.GetParallel())))
	entryPoint := info.GetEntryPoint()
	if entryPoint == "" {
		entryPoint = "."
	}
	plan.arguments = append(append(plan.arguments, entryPoint), request.GetArgs()...)
	return plan, nil
}

// run starts the program and waits for its end. Its output is ours, which the engine shows.
func (plan *programRun) run(ctx context.Context) *pulumirpc.RunResponse {
	// The kernel ends the child when the thread that started it ends, so this thread has to last as long as the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	command := exec.CommandContext(ctx, plan.node, plan.arguments...)
	command.Dir = plan.folder
	command.Env = append(os.Environ(), plan.extra...)
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = childAttributes()
	command.Cancel = func() error { return endGroup(command.Process) }
	command.WaitDelay = killAfter
	err := command.Run()

	var exit *exec.ExitError
	switch {
	case err == nil:
		return &pulumirpc.RunResponse{}
	case ctx.Err() != nil:
		return &pulumirpc.RunResponse{Error: "the program was cancelled"}
	case errors.As(err, &exit) && exit.ExitCode() == exitAlreadyReported:
		return &pulumirpc.RunResponse{Bail: true}
	case errors.As(err, &exit):
		return &pulumirpc.RunResponse{Error: "the program ended with " + exit.String()}
	default:
		return &pulumirpc.RunResponse{Error: "the program could not be started: " + err.Error()}
	}
}

// findNode prefers the npm package `node` of the program over the machine's, which may be too old.
func findNode(folder string) (string, error) {
	if own, found := upwards(folder, "node_modules/.bin/node"); found {
		return own, nil
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return "", errors.New("there is no node on the PATH and no npm package `node`; run `npm ci`")
	}
	return node, nil
}

func nodeVersion(node string) string {
	out, err := exec.Command(node, "--version").Output()
	if err != nil {
		return "unknown: " + err.Error()
	}
	return strings.TrimSpace(string(out))
}

// nodeArguments are `runtime.options.nodeargs`, split at white space; there is no quoting.
func nodeArguments(options map[string]any) []string {
	text, _ := options["nodeargs"].(string)
	return strings.Fields(text)
}

// compileCache is the folder in which Node keeps compiled code between runs (it saves a third of the SDK's start-up);
// none where the user has set one, or where there is no cache folder.
func compileCache() string {
	if os.Getenv("NODE_COMPILE_CACHE") != "" {
		return ""
	}
	if cache := os.Getenv("ROLLBACK_CACHE"); cache != "" {
		return filepath.Join(cache, "node-compile")
	}
	if cache, err := os.UserCacheDir(); err == nil {
		return filepath.Join(cache, "rollback", "node-compile")
	}
	return ""
}
