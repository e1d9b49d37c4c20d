package main

import (
	"context"
	"io"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// aliveEvery is how often the engine is asked whether it still lives. A killed engine is noticed sooner: it held the
// other end of our standard input.
const aliveEvery = 2 * time.Second

// stopWithEngine calls stop once the engine no longer answers. It returns at once.
func stopWithEngine(ctx context.Context, address string, stop context.CancelFunc) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	health := healthpb.NewHealthClient(connection)
	closed := make(chan struct{})
	go func() {
		// An error ends the wait as an end of file does; in both cases the engine is asked.
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	go func() {
		defer connection.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case <-closed:
				closed = nil
			case <-time.After(aliveEvery):
			}
			if !alive(ctx, health) {
				stop()
				return
			}
		}
	}()
	return nil
}

// alive is false only when nothing answers at the address. A slow answer is an answer: a busy engine is not a dead one.
func alive(ctx context.Context, health healthpb.HealthClient) bool {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := health.Check(ctx, &healthpb.HealthCheckRequest{})
	return status.Code(err) != codes.Unavailable
}
