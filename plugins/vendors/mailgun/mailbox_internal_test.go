package mailgun

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMailbox(t *testing.T) {
	for text, want := range map[string][2]string{
		"ines@example.com":                               {"", "ines@example.com"},
		"Ines <ines@example.com>":                        {"Ines", "ines@example.com"},
		`"Duarte, Ines" <ines@example.com>`:              {"Duarte, Ines", "ines@example.com"},
		"<ines@example.com>":                             {"", "ines@example.com"},
		"=?utf-8?q?In=C3=AAs?= <ines@example.com>":       {"Inês", "ines@example.com"},
		"undisclosed":                                    {"", "undisclosed"},
		"Ines <ines@example.com>, Rui <rui@example.com>": {"", "Ines <ines@example.com>, Rui <rui@example.com>"},
	} {
		name, address := mailbox(text)
		require.Equal(t, want, [2]string{name, address}, text)
	}
}

func TestRecipient(t *testing.T) {
	for list, want := range map[string]string{
		"ines@example.com":                               "ines@example.com",
		"Ines <ines@example.com>":                        "ines@example.com",
		`"Duarte, Ines" <ines@example.com>`:              "ines@example.com",
		"undisclosed":                                    "undisclosed",
		"ines@example.com, rui@example.com":              "",
		"Ines <ines@example.com>, Rui <rui@example.com>": "",
		"ines@example.com, nobody":                       "",
	} {
		require.Equal(t, want, recipient(list), list)
	}
	const list = `Ines <ines@example.com>, "Duarte, Rui" <rui@example.com>`
	require.Equal(t, "Ines", nameOf(list, "ines@example.com"))
	require.Equal(t, "Duarte, Rui", nameOf(list, "rui@example.com"))
	require.Empty(t, nameOf(list, "joe@example.com"))
}
