package stacks

import (
	"encoding/json"
	"net/http"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2authorizers"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2integrations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"example.com/partnertree/infra/stage"
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

// The pages that have bounds of their own.
const (
	signInRoute = "GET /signin/callback"
	logoRoute   = "GET /brands/{id}/logo"
)

// methods are those of an operation's routes. HEAD is answered like GET; where nobody is asked who they are, by the portal function, which gets
// what has no route: a route of its own would take another share of what the public may use.
func methods(op contract.Operation) *[]awsapigatewayv2.HttpMethod {
	all := []awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod(op.Method)}
	if op.Method == http.MethodGet && !op.Public {
		all = append(all, awsapigatewayv2.HttpMethod_HEAD)
	}
	return &all
}

// addAPI adds the HTTP API with one route for each operation of the contract and each page of the portal. A route is asked who is calling
// unless the contract says that it is public, and what has no route is answered by the portal function.
func (s *Service) addAPI() {
	// Of an answer API Gateway remembers both: that a token is refused at one host name says nothing of the others. A request without the
	// header is answered 401 by API Gateway itself.
	// Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html (Identity sources)
	authorizer := awsapigatewayv2authorizers.NewHttpLambdaAuthorizer(jsii.String("Authorizer"), s.Functions["authorizer"],
		&awsapigatewayv2authorizers.HttpLambdaAuthorizerProps{
			ResponseTypes:   &[]awsapigatewayv2authorizers.HttpLambdaResponseType{awsapigatewayv2authorizers.HttpLambdaResponseType_SIMPLE},
			IdentitySource:  jsii.Strings("$request.header.Authorization", "$context.domainName"),
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
	var routes []constructs.IDependable
	throttles := map[string]stage.Throttle{"$default": s.config.Pages}
	for _, op := range contract.Operations {
		route := &awsapigatewayv2.AddRoutesOptions{
			Path:        jsii.String(op.Path),
			Methods:     methods(op),
			Integration: to(op.Function),
		}
		if op.Public {
			route.Authorizer = public
			throttles[op.RouteKey()] = s.config.Pages
		}
		for _, r := range *s.API.AddRoutes(route) {
			routes = append(routes, r)
			if op.Public {
				accept(r, "AwsSolutions-APIG4", "The contract makes "+op.ID+" public: documentation, with nothing of any partner in it.")
			}
		}
	}
	for _, page := range contract.Pages {
		if !page.Session {
			throttles[page.RouteKey()] = s.config.Pages
		}
		for _, r := range *s.API.AddRoutes(&awsapigatewayv2.AddRoutesOptions{
			Path: jsii.String(page.Path), Methods: &[]awsapigatewayv2.HttpMethod{awsapigatewayv2.HttpMethod(page.Method)},
			Integration: to("portal"), Authorizer: public,
		}) {
			routes = append(routes, r)
			accept(r, "AwsSolutions-APIG4", "For people: the portal finds out from a cookie who they are, and shows all others how to sign in, and logos.")
		}
	}
	noSuchRoute := awsapigatewayv2.NewHttpRoute(s.Stack, jsii.String("NoSuchRoute"), &awsapigatewayv2.HttpRouteProps{
		HttpApi: s.API, RouteKey: awsapigatewayv2.HttpRouteKey_DEFAULT(), Integration: to("portal"), Authorizer: public,
	})
	routes = append(routes, noSuchRoute)
	throttles[signInRoute], throttles[logoRoute] = s.config.SignIn, s.config.Logos
	// The permission above is for routes with a method; the default route's address has none.
	s.Functions["portal"].AddPermission(jsii.String("NoSuchRoute"), &awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("apigateway.amazonaws.com"), nil),
		SourceArn: s.Stack.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("execute-api"), Resource: s.API.ApiId(), ResourceName: jsii.String("*/$default"),
		}),
	})
	accept(noSuchRoute, "AwsSolutions-APIG4", "Answers 404 or 405 to everything that is no operation, whoever asks, and HEAD where GET is public.")

	format, err := json.Marshal(accessLog)
	if err != nil {
		panic(err) // a map of strings always marshals
	}
	// The address has no stage in it: paths are those of the contract.
	all := awsapigatewayv2.NewHttpStage(s.Stack, jsii.String("Stage"), &awsapigatewayv2.HttpStageProps{
		HttpApi:    s.API,
		AutoDeploy: jsii.Bool(true),
		Throttle: &awsapigatewayv2.ThrottleSettings{
			RateLimit: jsii.Number(s.config.Whole.PerSecond), BurstLimit: jsii.Number(s.config.Whole.Burst),
		},
	})
	all.Node().AddDependency(routes...) // it names them
	s.accessLogs = s.logGroup("AccessLogs")
	settings := map[string]any{}
	for route, t := range throttles {
		settings[route] = map[string]any{"ThrottlingRateLimit": t.PerSecond, "ThrottlingBurstLimit": t.Burst}
	}
	cfn := all.Node().DefaultChild().(awsapigatewayv2.CfnStage)
	cfn.SetRouteSettings(settings)
	cfn.SetAccessLogSettings(&awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
		DestinationArn: s.accessLogs.LogGroupArn(), Format: jsii.String(string(format)),
	})
}
