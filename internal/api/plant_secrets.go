package api

import (
	"context"
	"net/http"
	"time"

	"busbar/internal/auth"
	"busbar/internal/plant"
)

// registerSecrets registers the routes of the secrets that the plant refers to.
func registerSecrets(a *api) {
	register(a, op{
		ID: "listSecrets", Method: http.MethodGet, Path: "/secrets", Tag: "secrets", Role: auth.Engineer,
		Summary: "The names of the secrets that the plant may refer to", Description: "What they are is never shown.",
	}, a.listSecrets)
	register(a, op{
		ID: "putSecret", Method: http.MethodPut, Path: "/secrets/{name}", Tag: "secrets", Role: auth.Engineer,
		Summary:     "Set a secret",
		Description: "The plant refers to it as ${secret:name}. If it does so already, the connectors concerned start with the new value; if they cannot, the former one stays.",
		Errors:      []int{http.StatusConflict},
	}, a.putSecret)
	register(a, op{
		ID: "deleteSecret", Method: http.MethodDelete, Path: "/secrets/{name}", Tag: "secrets", Role: auth.Engineer,
		Summary: "Delete a secret that the plant does not refer to", Status: http.StatusNoContent, Errors: []int{http.StatusNotFound, http.StatusConflict},
	}, a.deleteSecret)
}

// SecretInfo is what may be seen of a secret.
type SecretInfo struct {
	Name   string    `json:"name"`
	Author string    `json:"author" doc:"Who has set it"`
	At     time.Time `json:"at" doc:"When it was set"`
}

type listSecretsOutput struct {
	Body struct {
		Items []SecretInfo `json:"items" nullable:"false"`
	}
}

func (a *api) listSecrets(ctx context.Context, _ *struct{}) (*listSecretsOutput, error) {
	stored, err := a.deps.Store.Secrets(ctx)
	if err != nil {
		return nil, err
	}
	out := &listSecretsOutput{}
	out.Body.Items = make([]SecretInfo, len(stored))
	for i, s := range stored {
		out.Body.Items[i] = SecretInfo{Name: s.Name, Author: s.Author, At: s.At.UTC()}
	}
	return out, nil
}

// SecretInput names a secret.
type SecretInput struct {
	Name string `path:"name" maxLength:"200" doc:"1 to 200 of the characters A-Z a-z 0-9 . _ -" example:"sensors.password"`
}

type putSecretInput struct {
	SecretInput
	Body struct {
		Value string `json:"value" minLength:"1" maxLength:"65535" doc:"The secret"`
	}
}

func (a *api) putSecret(ctx context.Context, in *putSecretInput) (*struct{}, error) {
	if !plant.IsSecretName(in.Name) {
		return nil, invalid("this cannot be the name of a secret", Fault{Location: "path.name", Message: "want " + plant.WantSecretName, Value: in.Name})
	}
	return nil, a.deps.Manage.SetSecret(ctx, author(ctx), in.Name, in.Body.Value)
}

func (a *api) deleteSecret(ctx context.Context, in *SecretInput) (*struct{}, error) {
	return nil, a.deps.Manage.DeleteSecret(ctx, in.Name)
}
