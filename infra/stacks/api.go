package stacks

import (
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/shared/contract"
)

// accessLog is all that the access log says of a request. Paths and query strings are not among it: a route says which
// operation it was, and names or cursors in an address stay out of the logs.
var accessLog = map[string]string{
	"requestId":          "$context.requestId",
	"time":               "$context.requestTime",
	"route":              "$context.routeKey",
	"status":             "$context.status",
	"responseBytes":      "$context.responseLength",
	"milliseconds":       "$context.responseLatency",
	"functionMs":         "$context.integrationLatency",
	"functionError":      "$context.integration.error",
	"authorizerError":    "$context.authorizer.error",
	"principal":          "$context.authorizer.principal",
	"key":                "$context.authorizer.key",
	"callerAddress":      "$context.identity.sourceIp",
	"gatewayErrorReason": "$context.error.responseType",
}

// addAPI adds the HTTP API with one route for each operation of the contract and each page of the portal. A route is asked who is calling unless the
// contract says that it is public, and what has no route is answered as a problem by the portal function.
func (s *Service) addAPI() {
	authorizer := awsapigatewayv2authorizers.NewHttpLambdaAuthorizer(jsii.String("Authorizer"), s.Functions["authorizer"],
		&awsapigatewayv2authorizers.HttpLambdaAuthorizerProps{
			ResponseTypes:   &[]awsapigatewayv2authorizers.HttpLambdaResponseType{awsapigatewayv2authorizers.HttpLambdaResponseType_SIMPLE},
			IdentitySource:  jsii.Strings("$request.header.Authorization"),
			ResultsCacheTtl: awscdk.Duration_Minutes(jsii.Number(5)),
		})
	public := awsapigatewayv2.NewHttpNoneAuthorizer()

	s.API = awsapigatewayv2.NewHttpApi(s.Stack, jsii.String("Api"), &awsapigatewayv2.HttpApiProps{
		ApiName:            s.Stack.StackName(),
		Description:        jsii.String("Partner management"),
		CreateDefaultStage: jsii.Bool(false),
		DefaultAuthorizer:  authorizer,
	})

	integrations := map[string]awsapigatewayv2integrations.HttpLambdaIntegration{}
	to := func(function string) awsapigatewayv2integrations.HttpLambdaIntegration {
		if integrations[function] == nil {
			integrations[function] = awsapigatewayv2integrations.NewHttpLambdaIntegration(jsii.String(title(function)), s.Functions[function],
				// One permission for the whole API: one for each route would outgrow the 20 KB that a function's policy may have.
				&awsapigatewayv2integrations.HttpLambdaIntegrationProps{ScopePermissionToRoute: jsii.Bool(false)})
		}
		return integrations[function]
	}
	for _, op := range contract.Operations {
		route := &awsapigatewayv2.AddRoutesOptions{
			Path:        jsii.String(op.Path),
			Methods:     &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod(op.Method)},
			Integration: to(op.Function),
		}
		if op.Public {
			route.Authorizer = public
		}
		for _, r := range *s.API.AddRoutes(route) {
			if op.Public {
				accept(r, "AwsSolutions-APIG4", "The contract makes "+op.ID+" public: documentation, with nothing of any partner in it.")
			}
		}
	}
	for _, page := range contract.Pages {
		for _, r := range *s.API.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path: jsii.String(page.Path), Methods: &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod(page.Method)},
			Integration: to("portal"), Authorizer: public,
		}) {
			accept(r, "AwsSolutions-APIG4", "For people: the portal finds out from a cookie who they are, and shows all others how to sign in, and logos.")
		}
	}
	noSuchRoute := awsapigatewayv2.NewHttpRoute(s.Stack, jsii.String("NoSuchRoute"), &awsapigatewayv2.HttpRouteProps{
		HttpApi: s.API, RouteKey: awsapigatewayv2.HttpRouteKey_DEFAULT(), Integration: to("portal"), Authorizer: public,
	})
	// The permission above is for routes with a method; the default route's address has none.
	s.Functions["portal"].AddPermission(jsii.String("NoSuchRoute"), &awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		SourceArn: s.Stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("execute-api"), Resource: s.API.ApiId(), ResourceName: jsii.String("*/$default"),
		}),
	})
	accept(noSuchRoute, "AwsSolutions-APIG4", "Answers 404 to everything that is no operation, whoever asks.")

	format, err := json.Marshal(accessLog)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	// The address has no stage in it: paths are those of the contract.
	stage := awsapigatewayv2.NewHttpStage(s.Stack, jsii.String("Stage"), &awsapigatewayv2.HttpStageProps{
		HttpApi:    s.API,
		AutoDeploy: jsii.Bool(true),
		Throttle: &awsapigatewayv2.ThrottleSettings{
			RateLimit: jsii.Number(s.config.RatePerSecond), BurstLimit: jsii.Number(s.config.Burst),
		},
	})
	stage.Node().DefaultChild().(awsapigatewayv2.CfnStage).SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
		DestinationArn: s.logGroup("AccessLogs").LogGroupArn(), Format: jsii.String(string(format)),
	})
}
